"""The command line of the study: ``python -m analysis update FILE …``."""

from mexico_tables.update import main

main()
