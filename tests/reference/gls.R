# The headline model on windows of the national series: AR(1) errors by restricted likelihood, with
# rho estimated and with rho fixed.

library(nlme)
source("tidy.R")

windows <- read.csv("windows.csv")
model <- reformulate(names(windows)[-(1:5)], "log_rate", intercept = FALSE)
control <- glsControl(tolerance = 1e-12, msTol = 1e-14, msMaxIter = 500)

record_gls <- function(case, window, correlation) {
  fit <- gls(model, window, correlation, method = "REML", control = control)
  record_coefficients(case, coef(fit), vcov(fit))
  record(case, "", "rho", coef(fit$modelStruct$corStruct, unconstrained = FALSE, allCoef = TRUE))
  record(case, "", "sigma", fit$sigma)
  record(case, "", "loglik", logLik(fit))
}

for (name in unique(windows$window)) {
  window <- windows[windows$window == name, ]
  record_gls(paste0(name, "/estimated"), window, corAR1(form = ~1))
  for (rho in c(-0.3, 0, 0.5, 0.9, 0.99)) {
    record_gls(paste0(name, "/", rho), window, corAR1(rho, form = ~1, fixed = TRUE))
  }
}
write_rows("gls_expected.csv", "nlme")
