# Reads the estimates in R (package haven), shows what they are, prints and draws one change of trend.
library(haven)
estimates <- read_dta("estimates.dta")
print(sapply(estimates, attr, "label"))  # what each variable is
print(attr(estimates$estimand_name, "labels"))  # and the values of one of them
slopes <- subset(estimates, shift == "calderon-2006-12" & source == "inegi" & estimand == "slope")
print(data.frame(estimator = as_factor(slopes$estimator_name), slopes[c("estimate", "low", "high")]))
plot(slopes$estimate, seq_len(nrow(slopes)), xlim = range(0, slopes$low, slopes$high),
     xlab = "Change of the yearly trend (%), 95% interval", ylab = "Estimator, as printed")
segments(slopes$low, seq_len(nrow(slopes)), slopes$high)
