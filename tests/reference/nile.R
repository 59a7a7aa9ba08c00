# Dates of breaks by least squares, their confidence intervals, and the sup-F test of one break:
# the mean of the Nile's yearly flow, and a regression of British road casualties on their lags.
# A break is the last observation of the segment before it.

suppressPackageStartupMessages(library(strucchange))
source("tidy.R")

# R's own data sets, written out so that the tests can read them.
write.csv(data.frame(year = time(Nile), flow = Nile), "nile.csv", quote = FALSE, row.names = FALSE)
month <- sprintf("%d-%02d", floor(time(UKDriverDeaths) + 1e-6), cycle(UKDriverDeaths))
drivers <- data.frame(month, drivers = as.numeric(UKDriverDeaths))
write.csv(drivers, "seatbelt.csv", quote = FALSE, row.names = FALSE)

record_breaks <- function(case, model, data, dates, trim, intervals) {
  test <- sctest(Fstats(model, data = data, from = trim))
  record(case, "", "sup_f", test$statistic)
  record(case, "", "sup_f_p", test$p.value)
  found <- breakpoints(model, data = data, h = trim)
  most <- ncol(summary(found)$RSS) - 1
  record(case, paste0("m", 0:most), "rss", summary(found)$RSS["RSS", ])
  record(case, paste0("m", 0:most), "bic", summary(found)$RSS["BIC", ])
  record(case, "", "breaks_by_bic", sum(!is.na(breakpoints(found)$breakpoints)))
  for (m in 1:most) {
    at <- breakpoints(found, breaks = m)$breakpoints
    record(case, paste0("m", m, "_", seq_along(at)), "observation", at)
    record(case, paste0("m", m, "_", seq_along(at)), "date", dates[at])
  }
  for (m in 1:intervals) {
    # Where breaks are badly determined an end may lie outside the series; it is kept as it is.
    ends <- suppressWarnings(confint(found, breaks = m)$confint)
    record(case, paste0("m", m, "_", 1:m), "observation_low", ends[, 1])
    record(case, paste0("m", m, "_", 1:m), "observation_high", ends[, 3])
  }
}

nile <- data.frame(flow = as.numeric(Nile))
record_breaks("nile", flow ~ 1, nile, as.numeric(time(Nile)), trim = 0.15, intervals = 2)

y <- log10(drivers$drivers)
now <- 13:length(y)
seatbelt <- data.frame(y = y[now], ylag1 = y[now - 1], ylag12 = y[now - 12])
dates <- as.numeric(sub("-", "", month[now]))  # 198301 is January 1983
record_breaks("seatbelt", y ~ ylag1 + ylag12, seatbelt, dates, trim = 0.1, intervals = 2)
write_rows("nile_expected.csv", "strucchange")
