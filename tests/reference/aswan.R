# Yearly flow of the Nile before and after the dams at Aswan: from 1898 on, with drought and El Nino
# years or with Lake Huron beside, and from 1968 on, with the years from 1964 in which the High Dam
# was filled left out. The slope is 1 in the first year of the change.

suppressPackageStartupMessages({library(nlme); library(sandwich)})
source("tidy.R")

aswan <- read.csv("aswan.csv")
dam <- function(rows, first) {
  trend <- rows$year - rows$year[1] + 1
  cbind(rows, trend, level = as.numeric(rows$year >= first), slope = pmax(rows$year - first + 1, 0))
}
old <- dam(aswan[aswan$year <= 1930, ], 1898)
high <- dam(aswan[aswan$year >= 1950, ], 1968)
high <- high[!high$year %in% 1964:1967, ]
model <- flow ~ trend + level + slope

fit <- lm(model, old)
record_coefficients("newey_west", coef(fit), NeweyWest(fit, lag = 3, prewhite = FALSE, adjust = TRUE))
record_gls("ar1", model, old, corAR1(form = ~year), method = "REML")
record_gls("ar10", model, old, corARMA(p = 10, form = ~year), method = "ML")
record_gls("events_ar10", update(model, . ~ . + drought + elnino), old,
           corARMA(p = 10, form = ~year), method = "ML")

# The years left out are missing: 1963 and 1968 are five years apart.
fit <- lm(model, high)
record_coefficients("phase_in", coef(fit), vcov(fit))
record_gls("phase_in_ar1", model, high, corAR1(form = ~year), method = "REML")

both <- rbind(cbind(old, case = 1), cbind(transform(old, flow = huron), case = 0))
controlled <- update(model, . ~ . + case + trend:case + level:case + slope:case)
fit <- lm(controlled, both)
record_coefficients("huron", coef(fit), vcov(fit))
record_gls("huron_ar1", controlled, both, corAR1(form = ~year | case), method = "REML")
write_rows("aswan_expected.csv", c("stats", "nlme", "sandwich"))
