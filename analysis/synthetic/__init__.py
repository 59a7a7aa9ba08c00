"""One unit beside the weighted others that ran with it before the change."""
