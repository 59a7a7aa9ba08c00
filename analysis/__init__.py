"""Interrupted time series of Mexico's homicide rate around each shift of policy.

A question travels downwards: `report` asks `claims`, these ask the methods, the methods ask `its`,
`its` asks `engine`. A room imports only from lower floors, rooms of one floor never from each
other, and no method imports the country:

report                                          the rows of a run, the checklist
claims                                          the article's claims on trial
robustness places operations synthetic          the methods
forecasts validation | mexico                   more of them | this country's figures and dates
its                                             a series and a shift in, a result out
engine                                          arrays in, arrays out
style, language, files, arguments, checks       the ground, each below the one before

Whoever reads a notebook finds nearly all of its code, its drawings and its words in one room:

01-data, 11-municipalities (loading)  mexico        06-operations            operations
02-claims                             claims        07-comparison-countries  synthetic
03-policy-shift, 12-your-own-series   its           08-forecast              forecasts, claims
04-robustness                         robustness    09-validation            validation
05-states, 11-municipalities          places        10-synthesis             mexico_report

In a method's room some files compute, ``plots.py`` draws, ``words.py`` (if there is much to say)
says it in sentences and ``rows.py`` lays it out as a table. An interval comes from `its.model`,
`engine.reml` and `engine.mixture`, in this order. The public names are those of ``__init__.pyi``.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
