"""Shifts that reach places one after another, and inference for few of them."""
