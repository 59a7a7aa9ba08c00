"""Download a publisher's file to a cache, or say in a sentence why it is not the file."""

import os
import time
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from analysis.checks import require
from analysis.files import sha256, write_atomically
from analysis.mexico.readers import LARGEST

WRONG = ("text/html", "application/xhtml", "application/pdf", "application/json", "image/")


class _NoRedirect(HTTPRedirectHandler):
    """A missing file is often answered by the address of a page: tell it instead of following."""

    def redirect_request(self, request, stream, code, message, headers, address):
        """Refuse to follow."""
        raise ValueError(f"{request.full_url} redirects to {address}: give that, if it is the file")


def fetch_file(url: str) -> tuple[Path, str]:
    """Download a file to the cache; return its path, and a line with its hash, size and date."""
    parts = urlsplit(url)
    name = Path(unquote(parts.path)).name
    fault = f"{url} is no address of a file, such as https://example.org/file.zip"
    require(parts.scheme in {"http", "https"} and name not in {"", ".."}, fault)
    request = Request(url, headers={"User-Agent": "Mozilla/5.0 (mexico-homicide-its)"})
    try:
        with build_opener(_NoRedirect).open(request, timeout=60) as answer:
            kind, size = answer.headers.get_content_type(), answer.headers["Content-Length"]
            require(not kind.startswith(WRONG), f"{url} is {kind}, no table: is the file there?")
            require((size or "0").isdecimal(), f"{url} announces a size of {size!r}")
            content = answer.read(LARGEST + 1)
    except (OSError, HTTPException) as error:
        raise ValueError(f"{url} cannot be downloaded: {error}") from error
    require(len(content) <= LARGEST, f"{url} is larger than {LARGEST:,} bytes")
    fault = f"{url} has {len(content):,} bytes of {size} announced: it is cut. Try again"
    require(len(content) > 0 and size in {None, f"{len(content)}"}, fault)
    false = name.lower().endswith((".zip", ".xlsx")) and not content.startswith(b"PK")
    require(not false, f"{url} is no ZIP, for it begins with {content[:20]!r}: is the file there?")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "mexico-homicide-its" / name
    write_atomically(path, content)
    day = time.strftime("%Y-%m-%d")
    return path, f"{path}: sha256 {sha256(content)}, {len(content):,} bytes, {day}"
