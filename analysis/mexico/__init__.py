"""The figures and dates of this country: replaced whole in a study of another."""
