# For all the scripts: numbers become rows of case, term, statistic, value, and then a table.

rows <- NULL

record <- function(case, term, statistic, value) {
  value <- sprintf("%.15g", as.numeric(value))
  rows <<- rbind(rows, data.frame(case = case, term = term, statistic = statistic, value = value))
}

record_coefficients <- function(case, estimate, covariance) {
  record(case, names(estimate), "estimate", estimate)
  record(case, names(estimate), "se", sqrt(diag(covariance)))
}

# nlme's generalised least squares, the likelihood's top found to all digits: coefficients, the
# parameters of the errors, sigma and the log-likelihood. Fixed parameters are recorded too.
record_gls <- function(case, ...) {
  fit <- gls(..., control = glsControl(tolerance = 1e-12, msTol = 1e-14, msMaxIter = 1000))
  record_coefficients(case, coef(fit), vcov(fit))
  memory <- coef(fit$modelStruct$corStruct, unconstrained = FALSE, allCoef = TRUE)
  names <- if (length(memory) == 1) "rho" else tolower(names(memory))  # phi1, phi2, ..., theta1
  record(case, "", names, memory)
  spread <- fit$modelStruct$varStruct
  if (!is.null(spread)) record(case, "", "sd_ratio", coef(spread, FALSE, allCoef = TRUE)["1"])
  record(case, "", "sigma", fit$sigma)
  record(case, "", "loglik", logLik(fit))
}

# Prais-Winsten by Stata's rule: the first period kept and weighted by sqrt(1 - rho^2), rho from the
# regression of each residual on the one before, iterated until it settles.
record_prais <- function(case, y, X) {
  rho <- 0
  repeat {
    whiten <- diag(length(y))
    whiten[cbind(2:length(y), 2:length(y) - 1)] <- -rho
    whiten[1, 1] <- sqrt(1 - rho^2)
    fit <- lm.fit(whiten %*% X, as.vector(whiten %*% y))
    residual <- as.vector(y - X %*% fit$coefficients)
    before <- rho
    rho <- sum(residual[-1] * residual[-length(y)]) / sum(residual[-length(y)]^2)
    if (abs(rho - before) < 1e-13) break
  }
  estimate <- setNames(fit$coefficients, colnames(X))
  variance <- sum(fit$residuals^2) / (nrow(X) - ncol(X))
  record_coefficients(case, estimate, variance * chol2inv(qr.R(fit$qr)))
  record(case, "", "rho", rho)
}

# The first line of the table is a comment with the versions that made it.
write_rows <- function(file, packages) {
  versions <- sapply(packages, function(name) paste(name, packageVersion(name)))
  table <- file(file, "w")
  writeLines(paste0("# R ", getRversion(), ", ", paste(versions, collapse = ", ")), table)
  write.csv(rows, table, quote = FALSE, row.names = FALSE)
  close(table)
}
