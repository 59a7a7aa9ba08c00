# nlme::gls: segmented regression with AR(1) errors by REML, rho plugged in. Beside it lm, whose
# errors are independent: PiecewiseITS without its priors, on enough series to count precisely.
# Rscript gls_peer.R NATIONAL SIMULATED OUT
start <- proc.time()[["elapsed"]]
suppressPackageStartupMessages(library(nlme))
import_seconds <- proc.time()[["elapsed"]] - start

arguments <- commandArgs(trailingOnly = TRUE)
REPEATS <- 10
SERIES <- 2000

with_gls <- function(formula, data) {
  fit <- gls(formula, data, correlation = corAR1(form = ~position), method = "REML")
  intervals(fit, which = "coef")$coef[, c("est.", "lower", "upper")]
}
with_lm <- function(formula, data) {
  fit <- lm(formula, data)
  cbind(coef(fit), confint(fit))
}

row <- function(setting, quantity, value, case = "", low = NA, high = NA, n = NA, width = NA,
                note = "") {
  data.frame(setting, quantity, case, value, low, high, n, width, note)
}

fit_national <- function(setting, fit_one, data) {
  terms <- setdiff(names(data), c("log_rate", "position", "const"))
  formula <- reformulate(terms, "log_rate")
  seconds <- replicate(REPEATS, {
    start <- Sys.time()
    found <<- fit_one(formula, data)
    as.numeric(difftime(Sys.time(), start, units = "secs"))
  })
  levels <- grep("^level", terms, value = TRUE)
  rbind(
    row(setting, "level", found[levels, 1], levels, found[levels, 2], found[levels, 3]),
    row(setting, "first_fit_seconds", seconds[1], n = 1),
    row(setting, "fit_seconds", min(seconds), n = REPEATS)
  )
}

count_false_positives <- function(setting, fit_one, simulated) {
  position <- seq_len(ncol(simulated) - 1) - 1
  since <- position - length(position) %/% 2
  data <- data.frame(position, t = position / 12, level = +(since >= 0), slope = pmax(since, 0) / 12)
  do.call(rbind, lapply(unique(simulated$rho), function(rho) {
    series <- head(as.matrix(simulated[simulated$rho == rho, -1]), SERIES)
    ends <- apply(series, 1, function(y) {
      data$y <- y
      tryCatch(fit_one(y ~ t + level + slope, data)["level", 2:3], error = function(e) c(NA, NA))
    })
    ok <- !is.na(ends[1, ])
    wrong <- ends[1, ok] > 0 | ends[2, ok] < 0
    row(setting, "false_positives", mean(wrong), rho, n = sum(ok),
        width = median(ends[2, ok] - ends[1, ok]), note = paste(sum(!ok), "series without a fit"))
  }))
}

national <- read.csv(arguments[1])
simulated <- read.csv(arguments[2])
methods <- list("nlme::gls, corAR1, REML, rho plugged in" = with_gls, "lm, independent errors" = with_lm)
rows <- do.call(rbind, lapply(names(methods), function(setting) {
  rbind(
    row(setting, "import_seconds", import_seconds),
    fit_national(setting, methods[[setting]], national),
    count_false_positives(setting, methods[[setting]], simulated)
  )
}))
write.csv(rows, arguments[3], row.names = FALSE)
