"""Regressions whose errors remember, and what is simulated from them: arrays in, arrays out."""
