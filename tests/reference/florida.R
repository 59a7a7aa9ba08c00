# Deaths by month before and after Florida's "stand your ground" law of October 2005: quasi-Poisson
# models of a level, for Florida (fl) and for four states without such a law (c: New Jersey, New
# York, Ohio and Virginia), and of both together, where `level:case` is the change against those.

suppressPackageStartupMessages(library(sandwich))
source("tidy.R")

florida <- read.csv("florida.csv")
florida$level <- as.numeric(florida$month >= "2005-10")
florida$trend <- match(florida$month, unique(florida$month))  # in months
turn <- 2 * pi * as.numeric(substr(florida$month, 6, 7)) / 12
florida <- cbind(florida, sin1 = sin(turn), cos1 = cos(turn), sin2 = sin(2 * turn), cos2 = cos(2 * turn))

model <- deaths ~ level + trend + sin1 + cos1 + sin2 + cos2 + offset(log(people))
controlled <- update(model, . ~ . + case + trend:case + level:case)

for (cause in c("hom", "suic", "fhom", "fsuic")) {
  florida$deaths <- florida[[cause]]
  if (cause == "fsuic") florida$people <- florida$people_fsuic
  for (place in c("fl", "c", "both")) {
    data <- switch(place, fl = subset(florida, case == 1), c = subset(florida, case == 0), florida)
    terms <- if (place == "both") controlled else model
    fit <- glm(terms, quasipoisson(), data, epsilon = 1e-14, maxit = 100)
    case <- paste0(place, "_", cause)
    record_coefficients(case, coef(fit), vcov(fit))
    record(case, "", "dispersion", summary(fit)$dispersion)
    record(case, "level", "se_hac", sqrt(vcovHAC(fit)["level", "level"]))
  }
}

case <- "fl_fhom_nb"
florida <- transform(subset(florida, case == 1), deaths = fhom)
fit <- MASS::glm.nb(model, florida, control = glm.control(epsilon = 1e-10, maxit = 200))
record_coefficients(case, coef(fit), vcov(fit))
record(case, "", "alpha", 1 / fit$theta)
record(case, "", "loglik", logLik(fit))
write_rows("florida_expected.csv", c("stats", "sandwich", "MASS"))
