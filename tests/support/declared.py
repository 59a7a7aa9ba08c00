"""What many tests read and none changes, loaded once: the declared shifts, the states' months."""

from functools import cache

from analysis import load_policy_shifts, load_states

SHIFTS = load_policy_shifts()
states_of = cache(load_states)
