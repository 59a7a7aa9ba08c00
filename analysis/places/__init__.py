"""One shift in many places, each and together."""
