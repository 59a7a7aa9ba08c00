"""The command line of the study: ``python -m analysis update FILE …``."""

import argparse
from pathlib import Path

from analysis.mexico.readers import fetch_file
from analysis.mexico.tables import DATA_FOLDER
from analysis.mexico.update import update_tables


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    told = "bring the embedded tables up to date from the publishers' files (docs/update.md)"
    update = parser.add_subparsers(dest="command").add_parser("update", help=told, description=told)
    update.add_argument("files", nargs="*", type=Path, metavar="FILE", help="CSV, XLSX, DBF or ZIP")
    update.add_argument("--fetch", action="append", default=[], metavar="URL", help="download it")
    update.add_argument("--into", type=Path, default=DATA_FOLDER, help="folder of the tables")
    update.add_argument("--release", default="", metavar="YYYY-MM", help="month of the release")
    update.add_argument("--accept-revisions", action="store_true", help="take what moves the past")
    update.add_argument("--dry-run", action="store_true", help="write nothing")
    given = vars(parser.parse_args(arguments))
    if given.pop("command") is None:
        parser.print_help()
        return
    try:
        for url in given.pop("fetch"):
            path, line = fetch_file(url)
            print(line)
            given["files"].append(path)
        said = update_tables(**given)
    except Exception as error:  # whatever it is, the user is told in a sentence
        parser.exit(1, f"nothing written: {error}\n")
    print("\n".join(said))


if __name__ == "__main__":
    main()
