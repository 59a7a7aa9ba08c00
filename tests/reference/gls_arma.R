# ARMA(1,1) errors whose size may change at the shift, by restricted likelihood, on two windows of
# the national series: phi, theta and the ratio of standard deviations estimated and fixed.
# What differs from this package's own law of the errors:
# - R adds the moving average, u_t = phi u_{t-1} + e_t + theta e_{t-1}: its theta is minus ours.
# - varIdent multiplies the errors u_t from the shift on, whose correlation stays that of an
#   ARMA(1,1) throughout; in this package the ratio is that of the innovations e_t, so that memory
#   carries errors of the old size across the shift. At a ratio of 1 the two are the same.

library(nlme)
source("tidy.R")

windows <- read.csv("windows.csv")
model <- reformulate(names(windows)[-(1:5)], "log_rate", intercept = FALSE)
windows$after <- windows$level

arma <- function(phi, theta, fixed) corARMA(c(phi, theta), ~1, p = 1, q = 1, fixed = fixed)

# On Calderon's window the likelihood rises up to phi = 1, as that of AR(1) errors does elsewhere.
for (name in c("calderon-2006-12", "sheinbaum-2024-10")) {
  data <- windows[windows$window == name, ]
  record_fit <- function(case, memory, spread = NULL) {
    record_gls(paste0(name, "/", case), model, data, memory, spread, method = "REML")
  }
  record_fit("estimated", arma(0.9, -0.5, FALSE), varIdent(form = ~1 | after))
  record_fit("estimated_equal", arma(0.9, -0.5, FALSE))
  for (memory in list(c(0.5, -0.3), c(0.8, 0.4), c(0.9, -0.5), c(0.95, -0.8), c(0.99, -0.3))) {
    for (ratio in c(0.6, 1, 1.5)) {
      spread <- if (ratio != 1) varIdent(form = ~1 | after, fixed = c("1" = ratio))
      record_fit(paste(c(memory, ratio), collapse = "_"), arma(memory[1], memory[2], TRUE), spread)
    }
  }
}
write_rows("gls_arma_expected.csv", "nlme")
