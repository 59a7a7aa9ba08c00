# The headline model on windows of the national series: AR(1) errors by restricted likelihood, with
# rho estimated and with rho fixed.

library(nlme)
source("tidy.R")

windows <- read.csv("windows.csv")
model <- reformulate(names(windows)[-(1:5)], "log_rate", intercept = FALSE)

for (name in unique(windows$window)) {
  window <- windows[windows$window == name, ]
  record_gls(paste0(name, "/estimated"), model, window, corAR1(form = ~1), method = "REML")
  for (rho in c(-0.3, 0, 0.5, 0.9, 0.99)) {
    record_gls(paste0(name, "/", rho), model, window, corAR1(rho, form = ~1, fixed = TRUE),
               method = "REML")
  }
}
write_rows("gls_expected.csv", "nlme")
