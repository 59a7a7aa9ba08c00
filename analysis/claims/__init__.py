"""The article's claims on trial."""
