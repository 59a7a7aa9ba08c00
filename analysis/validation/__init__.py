"""May the intervals be believed? Coverage, certificates, published results."""
