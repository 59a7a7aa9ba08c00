"""Interrupted time series of Mexico's homicide rate around each shift of policy.

The modules in reading order; nothing imports backwards:

checks      what the public functions ask of plain arguments
files       hashes, atomic writing, tables rounded to six digits
style       colours, labels, saving a figure
tables      the embedded tables, checked by their hash when read
sources     tables -> one monthly series of deaths and person-years per place and source
policies    policy-shifts.toml -> PolicyShift
frames      what every function asks of a series: regular periods, counts that can be true
design      periods and a shift -> design matrix
cluster     threads, processes or a Dask cluster: where work is shared
mixture     quantiles of mixtures of Student t distributions, many at once
gls         generalised least squares with AR(1) errors at many values of rho
rho         rho integrated out, for a block of series or of designs
reml        the engine: rho integrated out by its restricted likelihood, for many series at once
estimands   the level, slope and effects of a shift as mixtures over rho
optimise    coefficients, and optimisers that are checked
estimators  least squares and count models, fitted by statsmodels
counts      counts with few or no deaths in a month: counting noise told apart from AR(1)
state_space regression with ARIMA errors, and a structural model, by statsmodels
panel       one shift by every estimator, and the verdict on their spread
processes   errors of known autocorrelation, to simulate from
calibration how often the intervals of each estimator hold the truth, by simulation
municipal_counts  reads the user's table of municipal counts, and nothing that is not it
municipalities  that table checked against the states, with CONAPO's population
municipal_synthesis  a synthetic one of its shape
certificates  size, coverage and least detectable effects for one series and its dates
segments    rows of a regression made ready for segments
structural_breaks  Bai-Perron: breaks at unknown dates by least squares
sup_f_test  one break at an unknown date, or none?
break_dates  confidence intervals for those dates
breaks      the posterior over the dates of one or two breaks
placebos    the same estimate at other dates and places
specifications  every defensible choice, crossed, with its null
robustness  one year left out, the window moved, a transition skipped
counterfactual  what the months would have looked like without the shift
flags       the warnings that stand next to a result
its         series and shift -> ITSResult
plots       results -> matplotlib Axes
robustness_plots  breaks, placebos, curves and refits -> Axes
places      one shift in many places, and which of the estimates are reliable
prediction  where the effect in a further place is to be expected
pooling     many places as one number, six ways
pooling_coverage  how often the pooled intervals hold the truth, by simulation
stacks      the joint operations as sub-experiments: treated states and clean controls
stacked_poisson  one effect in them, for many reassignments at once
event_study  effects by time since an operation, Poisson with fixed effects by pyfixest
randomisation  score bootstrap and randomisation inference, where few states are treated
dealt_operations  the same for the event study, each operation, and all but one
operation_worlds  panels to simulate from, with an effect that is known
operation_calibration  how often these tests reject the truth, by simulation
yardsticks  published effects of the operations, and ours in their unit
place_plots  forest and map -> Axes
event_plots  event study, placebo distribution and operations -> Axes
verdicts    what the robustness checks say, as a row and in words
validation  published results and ours, side by side
outputs     results -> rows
sentences   numbers -> words, by rule
synthetic   one unit and the weighted others that ran with it before the change
synthetic_placebos  the same for every donor: ranks and intervals
conformal   conformal intervals for it, and how often they hold
synthetic_plots  the same -> Axes
countries   Latin America and the Caribbean beside Mexico
country_sentences  what they say, as rows and in words
freezes     what could be known when an article came out
forecast_methods  ways to forecast a monthly rate, declared beforehand
forecasts   draws of the months after a frozen series
forecast_scores  earlier origins, and what came
forecast_verdicts  the probability that it would get worse
forecast_sentences  the same in words
forecast_plots  forecasts, coverage, probabilities -> Axes
claims      claims.toml -> the article's claims, and the rule of the verdict
claim_evidence  every count of every source by year
claim_fits  the models behind the claims that need one
claim_rows  what is found of a claim: rows, verdict, the figures in words
claim_outcomes  the claim about what would come: every year worse, and almost certain
claim_courses  the claims about a course
claim_measures  those about counts and rates, and the list of all
claim_plots  every way of counting, the ranking, the verdicts -> Axes
claim_course_plots  the start of a rise, the course of a term -> Axes
findings    the tables that the answer is written from
national_sentences  what the national shifts say
answer      the ten sentences of the answer, each with the rows it rests on
checklist   the field's reporting items, filled in from the run
front_page  the summary table and the files of the front page
place_sentences  the same for many places
notebooks   run a notebook with papermill
report      executed notebooks -> the HTML report
crate       what a run was made from and what it made, as an RO-Crate
compile     rebuilds the tables from the publishers' figures (not part of an analysis)
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
