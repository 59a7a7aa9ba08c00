# Crashes of novice drivers by month before and after Queensland's licensing reform of July 2007,
# after month 66 of the series or, in m3 and m4, after 67; m1 and m3 have a dummy for each month. The
# slope is 1 in the first month of the reform.

suppressPackageStartupMessages(library(sandwich))
source("tidy.R")

queensland <- read.csv("queensland.csv")
trend <- seq_along(queensland$month)
calendar <- factor(substr(queensland$month, 6, 7))

design <- function(last) cbind(level = as.numeric(trend > last), slope = pmax(trend - last, 0))

for (case in c("m1", "m2", "m3", "m4")) {
  data <- data.frame(crashes = queensland$novice_crash, trend,
                     design(if (case %in% c("m1", "m2")) 66 else 67))
  if (case %in% c("m1", "m3")) data$calendar <- calendar
  fit <- lm(crashes ~ ., data)
  record_coefficients(case, coef(fit), NeweyWest(fit, lag = 3, prewhite = FALSE, adjust = TRUE))
  record(case, "", "aic", AIC(fit))
}

X <- cbind(const = 1, trend, design(66))
record_prais("prais_winsten", queensland$novice_crash, X)

# At R's default tolerance the level of `arima_a` is 51.0682: the likelihood is flat.
tight <- list(reltol = 1e-14, maxit = 5000)
seasons <- list(arima_a = c(2, 1, 0), arima_b = c(0, 1, 1))
for (case in names(seasons)) {
  season <- list(order = seasons[[case]], period = 12)
  fit <- arima(queensland$novice_crash, c(0, 1, 1), season, design(66), optim.control = tight)
  record_coefficients(case, coef(fit), vcov(fit))
  record(case, "", "loglik", fit$loglik)
  record(case, "", "converged", fit$code == 0)
}
write_rows("queensland_expected.csv", c("stats", "sandwich"))
