import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.publisher_files import to_zip

from mexico_tables import files
from mexico_tables.update import main

WHOLE = to_zip({"a.csv": b"a,b\r\n1,2\r\n"})
PAGE = b"<!DOCTYPE html><html>no existe</html>"
ANSWERS = {  # path -> status, headers, content
    "/whole.zip": (200, {"Content-Type": "application/zip"}, WHOLE),
    "/V%C3%ADctimas%20jun25.zip": (200, {"Content-Type": "application/octet-stream"}, WHOLE),
    "/cut.zip": (200, {"Content-Length": "9999"}, WHOLE),
    "/page.zip": (200, {"Content-Type": "text/html; charset=utf-8"}, PAGE),
    "/hidden.zip": (200, {"Content-Type": "application/zip"}, PAGE),
    "/empty.csv": (200, {"Content-Type": "text/csv"}, b""),
    "/large.csv": (200, {"Content-Type": "text/csv"}, b"1" * 101),
    "/announced.csv": (200, {"Content-Type": "text/csv", "Content-Length": "many"}, b"1"),
    "/moved.zip": (302, {"Location": "/whole.zip"}, b""),
    "/gone.zip": (404, {"Content-Type": "application/zip"}, b""),
}


class Publisher(BaseHTTPRequestHandler):
    def do_GET(self):
        status, headers, content = ANSWERS[self.path]
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as publisher:
        thread = threading.Thread(target=publisher.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{publisher.server_port}"
        publisher.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "mexico-homicide-its"


@pytest.mark.parametrize("address", ["/V%C3%ADctimas%20jun25.zip", "/Víctimas jun25.zip"])
def test_a_file_is_kept_under_its_name_and_told_with_its_hash(server, cache, address):
    path, line = files.fetch_file(server + address)
    assert (path, path.read_bytes()) == (cache / "Víctimas jun25.zip", WHOLE)
    digest = hashlib.sha256(WHOLE).hexdigest()
    assert line.startswith(f"{path}: sha256 {digest}, {len(WHOLE)} bytes, 20")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/cut.zip", f"has {len(WHOLE)} bytes of 9999 announced: it is cut"),
        ("/page.zip", "is text/html, no table"),
        ("/hidden.zip", "is no ZIP, for it begins with b'<!DOCTYPE"),
        ("/empty.csv", "has 0 bytes of 0 announced"),
        ("/large.csv", "is larger than 100 bytes"),
        ("/announced.csv", "announces a size of 'many'"),
        ("/moved.zip", "redirects to http.*/whole.zip: give that"),
        ("/gone.zip", "cannot be downloaded: HTTP Error 404"),
        ("/", "is no address of a file"),
    ],
)
def test_what_is_not_the_file_is_refused_in_a_sentence(server, cache, monkeypatch, path, reason):
    monkeypatch.setattr(files, "LARGEST", 100 if "large" in path else 10_000)
    with pytest.raises(ValueError, match=reason):
        files.fetch_file(server + path)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/hosts", "is no address of a file"),
        ("a.zip", "is no address of a file"),
        ("http://127.0.0.1:9/a.zip", "cannot be downloaded"),
    ],
)
def test_other_addresses_are_refused(url, reason):
    with pytest.raises(ValueError, match=reason):
        files.fetch_file(url)


@pytest.mark.slow
def test_the_command_line_fetches_first_and_then_reads(server, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["update", "--fetch", f"{server}/whole.zip", "--into", str(tmp_path / "new")])
    said = capsys.readouterr()
    assert "whole.zip: sha256 " in said.out
    assert said.err.startswith("nothing written: whole.zip: a.csv is no table that is known")
    assert not (tmp_path / "new").exists()
