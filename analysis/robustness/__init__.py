"""The same shift asked again: other dates, places, windows, choices."""
