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

# The first line of the table is a comment with the versions that made it.
write_rows <- function(file, packages) {
  versions <- sapply(packages, function(name) paste(name, packageVersion(name)))
  table <- file(file, "w")
  writeLines(paste0("# R ", getRversion(), ", ", paste(versions, collapse = ", ")), table)
  write.csv(rows, table, quote = FALSE, row.names = FALSE)
  close(table)
}
