"""Interrupted time series of Mexico's homicide rate around each shift of policy.

The modules in reading order; nothing imports backwards:

tables      the embedded tables, checked by their hash when read
sources     tables -> one monthly series of deaths and person-years per place and source
policies    policy-shifts.toml -> PolicyShift
frames      what every function asks of a series: regular periods, counts that can be true
design      periods and a shift -> design matrix
mixture     quantiles of mixtures of Student t distributions, many at once
gls         generalised least squares with AR(1) errors at many values of rho
reml        the engine: rho integrated out by its restricted likelihood, for many series at once
estimands   the level, slope and effects of a shift as mixtures over rho
counterfactual  what the months would have looked like without the shift
flags       the warnings that stand next to a result
its         series and shift -> ITSResult
plots       results -> matplotlib Axes
compile     rebuilds the tables from the publishers' figures (not part of an analysis)
"""

from analysis.its import ITSResult, fit_its
from analysis.plots import plot_effects, plot_fit, plot_gap, plot_series
from analysis.policies import PolicyShift, load_policy_shifts
from analysis.reml import fit_many
from analysis.sources import load_series, load_states

__all__ = [
    "ITSResult",
    "PolicyShift",
    "fit_its",
    "fit_many",
    "load_policy_shifts",
    "load_series",
    "load_states",
    "plot_effects",
    "plot_fit",
    "plot_gap",
    "plot_series",
]
