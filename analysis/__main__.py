"""The command line of the study: ``python -m analysis update FILE …``."""

from analysis.mexico.update import main

main()
