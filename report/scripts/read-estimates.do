* Reads the estimates in Stata (14 or newer), shows what they are, prints and draws one change of trend.
use "estimates.dta", clear
describe
label list estimand_name
keep if shift == "calderon-2006-12" & source == "inegi" & estimand == "slope"
list estimator_name estimate low high, noobs abbreviate(16)
generate place_drawn = _n
twoway (rcap low high place_drawn, horizontal) (scatter place_drawn estimate), ///
    xline(0) legend(off) ytitle("Estimator, as listed") ///
    xtitle("Change of the yearly trend (%), 95% interval")
