"""What could be known at a date, and how good forecasts from it were."""
