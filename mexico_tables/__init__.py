"""What makes the embedded tables of the publishers' figures; `analysis.mexico` reads them."""
