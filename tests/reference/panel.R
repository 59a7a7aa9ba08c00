# The estimators that stand beside the headline, on the same windows: least squares with Newey-West
# errors, quasi-Poisson and negative binomial counts, and AR(1) errors by maximum likelihood.

suppressPackageStartupMessages(library(sandwich))
source("tidy.R")

windows <- read.csv("windows.csv")
design <- names(windows)[-(1:5)]
rate <- reformulate(design, "log_rate", intercept = FALSE)
count <- reformulate(c(design, "offset(log(person_years))"), "deaths", intercept = FALSE)

for (window in split(windows, factor(windows$window, unique(windows$window)))) {
  name <- window$window[1]

  case <- paste0(name, "/newey_west")
  lags <- floor(4 * (nrow(window) / 100)^(2 / 9))
  fit <- lm(rate, window)
  record_coefficients(case, coef(fit), NeweyWest(fit, lag = lags, prewhite = FALSE, adjust = TRUE))
  record(case, "", "lags", lags)

  case <- paste0(name, "/quasi_poisson")
  fit <- glm(count, quasipoisson(), window, epsilon = 1e-14, maxit = 100)
  record_coefficients(case, coef(fit), vcov(fit))
  record(case, "", "dispersion", summary(fit)$dispersion)
  record(case, "", "converged", fit$converged)

  # Errors for theta as if known, from the expected information.
  case <- paste0(name, "/negative_binomial")
  fit <- MASS::glm.nb(count, window, control = glm.control(epsilon = 1e-10, maxit = 200))
  record_coefficients(case, coef(fit), vcov(fit))
  record(case, "", "theta", fit$theta)
  record(case, "", "theta_se", fit$SE.theta)
  record(case, "", "loglik", logLik(fit))
  record(case, "", "converged", fit$converged)

  case <- paste0(name, "/arima")
  tight <- list(reltol = 1e-15, maxit = 5000)
  fit <- arima(window$log_rate, c(1, 0, 0), xreg = as.matrix(window[design]),
               include.mean = FALSE, method = "ML", optim.control = tight)
  record_coefficients(case, coef(fit), vcov(fit))
  record(case, "", "sigma2", fit$sigma2)
  record(case, "", "loglik", fit$loglik)
  record(case, "", "converged", fit$code == 0)
}
write_rows("panel_expected.csv", c("stats", "sandwich", "MASS"))
