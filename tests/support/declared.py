"""What many tests read and none changes, loaded once: the declared shifts and runs, the states'
months."""

from functools import cache

from analysis import load_policy_shifts, load_states
from mexico_report.runs import declare_runs

SHIFTS = load_policy_shifts()
RUNS = declare_runs()
states_of = cache(load_states)
