"""The links of a site that opens from disk: what they lead to must be there."""

from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """The places that a page leads to, the names that others may lead to in it, its pictures."""

    def __init__(self):
        super().__init__()
        self.targets, self.names, self.pictures = [], set(), []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.names |= {given[name] for name in ("id", "name") if given.get(name)}
        self.targets += [given[name] for name in ("href", "src") if given.get(name)]
        if tag == "img":
            self.pictures.append(given)


def read_links(path):
    links = Links()
    links.feed(path.read_text(encoding="utf-8"))
    return links


def broken_links(site):
    """Return page and target of every link within `site` that leads nowhere."""
    pages = {path: read_links(path) for path in site.rglob("*.html")}
    broken = []
    for path, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            found = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            named = found.suffix != ".html" or not parts.fragment
            known = named or unquote(parts.fragment) in pages[found].names
            if not found.is_file() or not known:
                broken.append((path.name, target))
    return broken
