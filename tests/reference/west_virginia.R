# Market share by quarter before and after West Virginia put antipsychotics under prior authorisation,
# after quarter 8, beside a control without it. The slope is 1 in the first quarter with it.

suppressPackageStartupMessages({library(nlme); library(sandwich)})
source("tidy.R")

shares <- read.csv("west_virginia.csv")
trend <- seq_along(shares$quarter)
design <- data.frame(trend, level = as.numeric(trend > 8), slope = pmax(trend - 8, 0))
virginia <- cbind(design, share = shares$west_virginia, case = 1)
both <- rbind(virginia, cbind(design, share = shares$control, case = 0))
model <- share ~ trend + level + slope
controlled <- update(model, . ~ . + case + trend:case + level:case + slope:case)

fit <- lm(controlled, both)
record_coefficients("both", coef(fit), vcov(fit))
record_gls("both_ar2", controlled, both, corARMA(p = 2, form = ~trend | case), method = "ML")
fit <- lm(model, virginia)
record_coefficients("newey_west", coef(fit), NeweyWest(fit, lag = 2, prewhite = FALSE, adjust = TRUE))
record_gls("ar1", model, virginia, corAR1(form = ~trend), method = "REML")
write_rows("west_virginia_expected.csv", c("stats", "nlme", "sandwich"))
