"""Text that would do something if it were read as more than text, for every field of text."""

from dataclasses import replace
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from analysis.its.shifts import TEXTS

SCRIPTS = "<script>hit()</script><img src=x onerror=hit()><a href='javascript:hit()'>a</a>"
LINKS = "[x](javascript:hit()) ![y](x.png) <http://a.b> [z]"
FORMULAS = r"$\frac{$ $x_1$ \(y\) \begin{a} 5% & &lt; &amp;"
MARKS = "{0} {{ z }} {{{z}}} {z}`role` a|b `code` *e* __u__ ~~s~~ 'p' \"q\" \\* # h"
HOSTILE = f"# {SCRIPTS} {LINKS} {FORMULAS} {MARKS}"
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Shown(HTMLParser):
    """The text of a piece of HTML, and the tags in it."""

    def __init__(self, html):
        super().__init__()
        self.text, self.tags = "", set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


def render(markdown):
    """Return what a reader of Markdown sees."""
    return Shown(MARKDOWN.render(markdown))


def hostile_shift(shift):
    """Return a shift with hostile text in every field of text."""
    texts = {name: f"{HOSTILE} {name}" for name, kind in TEXTS.items() if kind is str}
    texts["title"] = f"{HOSTILE} {shift.slug}"
    overlaps = tuple(f"{HOSTILE} {title}" for title in shift.overlaps)
    beside = tuple(map(hostile_shift, shift.beside))
    return replace(shift, overlaps=overlaps, beside=beside, **texts)
