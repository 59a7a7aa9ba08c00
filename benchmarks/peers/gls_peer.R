# nlme::gls: segmented regression by REML, the errors' parameters plugged in: ARMA(1,1) errors whose
# size changes at the shift, and AR(1) errors. Beside it lm, whose errors are independent:
# PiecewiseITS without its priors, on enough series to count precisely.
# Rscript gls_peer.R NATIONAL SIMULATED OUT
start <- proc.time()[["elapsed"]]
suppressPackageStartupMessages(library(nlme))
import_seconds <- proc.time()[["elapsed"]] - start

arguments <- commandArgs(trailingOnly = TRUE)
REPEATS <- 5

with_arma <- function(formula, data) {
  data$after <- data[[tail(grep("^level", names(data), value = TRUE), 1)]]
  fit <- gls(formula, data, correlation = corARMA(form = ~position, p = 1, q = 1),
             weights = varIdent(form = ~ 1 | after), method = "REML")
  intervals(fit, which = "coef")$coef[, c("est.", "lower", "upper")]
}
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

count_false_positives <- function(setting, fit_one, simulated, count) {
  position <- seq_len(ncol(simulated) - 1) - 1
  since <- position - length(position) %/% 2
  data <- data.frame(position, t = position / 12, level = +(since >= 0), slope = pmax(since, 0) / 12)
  do.call(rbind, lapply(unique(simulated$world), function(world) {
    series <- head(as.matrix(simulated[simulated$world == world, -1]), count)
    ends <- apply(series, 1, function(y) {
      data$y <- y
      tryCatch(fit_one(y ~ t + level + slope, data)["level", 2:3], error = function(e) c(NA, NA))
    })
    ok <- !is.na(ends[1, ])
    wrong <- ends[1, ok] > 0 | ends[2, ok] < 0
    row(setting, "false_positives", mean(wrong), world, n = sum(ok),
        width = median(ends[2, ok] - ends[1, ok]), note = paste(sum(!ok), "series without a fit"))
  }))
}

national <- read.csv(arguments[1])
simulated <- read.csv(arguments[2])
methods <- list(
  "nlme::gls, corARMA(1, 1), varIdent, REML, plugged in" = list(with_arma, 300),
  "nlme::gls, corAR1, REML, rho plugged in" = list(with_gls, 2000),
  "lm, independent errors" = list(with_lm, 2000)
)
rows <- do.call(rbind, lapply(names(methods), function(setting) {
  rbind(
    row(setting, "import_seconds", import_seconds),
    fit_national(setting, methods[[setting]][[1]], national),
    count_false_positives(setting, methods[[setting]][[1]], simulated, methods[[setting]][[2]])
  )
}))
write.csv(rows, arguments[3], row.names = FALSE)
