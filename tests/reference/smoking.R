# California's sales of cigarettes before and after Proposition 99, in force from 1989: Prais-Winsten
# by Stata's rule, with a slope that is 0 in 1989.

source("tidy.R")

smoking <- read.csv("smoking.csv", check.names = FALSE)
year <- 1970:2000
sales <- unlist(smoking[smoking$state == "California", as.character(year)])
level <- as.numeric(year >= 1989)
X <- cbind(const = 1, trend = year - 1969, level, slope = pmax(year - 1989, 0))
record_prais("prais_winsten", sales, X)
write_rows("smoking_expected.csv", "stats")
