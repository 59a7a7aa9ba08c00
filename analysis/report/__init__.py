"""The run, its tables, the answer, the pages."""
