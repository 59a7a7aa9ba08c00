"""What the figures share: colours, `percent_axis`, `interval_rows`, `legend_above`, `name_line`."""

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, NullLocator

from analysis.checks import require
from analysis.files import sha256, write_together
from analysis.language import Words

WIDTH = 4.5  # inches of a figure, so that what is "small" on paper can be read on a phone
PHONE, LEAST = 358, 9.0  # pixels: a phone's column (of 390), and the least height of a text on it
LABELS = Words("style-words.toml")  # of axes, in the language in use
RATE_LABEL = LABELS["rate"]  # in English
REAL, FITTED = "#c1440e", "#20639b"  # what came, beside placebos or forecasts; a model's line
ZERO: dict[str, Any] = {"color": "0.3", "linewidth": 0.8}  # the line where nothing changes
PART = re.compile(rb'(?<=["#])[A-Za-z]+[0-9a-f]{10}(?=[")])')  # of an SVG: its identifier
LEGEND: dict[str, Any] = {"frameon": False, "fontsize": "small"}
BLUE, ORANGE, GREEN = sns.color_palette("colorblind")[:3]
FONT, WHOLE = "DejaVu Sans Latin", "DejaVu Sans"  # the second cut to the first, drawn the same
for path in Path(__file__).with_name("fonts").glob("*.ttf"):
    font_manager.fontManager.addfont(path)
COLOURS = {"fit": BLUE, "forecast": ORANGE, "segmented": GREEN, "inegi": BLUE, "sesnsp": ORANGE}


def as_drawn(text: object) -> str:
    """Return a text so that matplotlib draws it as it is written: a dollar begins no formula."""
    return str(text).replace("$", r"\$")


def percent_axis(axis: Axis, ticks: Sequence[float]) -> None:
    """Give an axis of log rate ratios its ticks and their labels in percent."""
    axis.set_major_locator(FixedLocator(np.log1p(np.array(ticks) / 100).tolist()))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda x, _: f"{100 * np.expm1(x):+.0f}%" if x else "0")


def interval_rows(ax: Axes, labels: Sequence[str], *, zero: bool = True, grid: bool = True) -> None:
    """Name rows of intervals from the top down, with a line at zero and a grid behind them."""
    if zero:
        ax.axvline(0, **ZERO)
    ax.set_yticks(range(len(labels)), [as_drawn(label) for label in labels])
    ax.set_ylim(len(labels) - 0.5, -0.5)
    if grid:
        ax.grid(axis="x", color="0.9")
        ax.set_axisbelow(True)


def legend_above(ax: Axes, ncols: int, **options: Any) -> None:
    """Put the legend above the frame, in the middle."""
    options |= {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": ncols}
    for text in ax.legend(**LEGEND, **options).findobj(Text):
        text.set_parse_math(False)  # a dollar is a dollar


def name_line(ax: Axes, place: Any, name: str) -> None:
    """Write a name down the right side of a vertical line."""
    frame = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    style = {"rotation": 90, "va": "top", "fontsize": "small", "color": "0.25"}
    ax.annotate(name, (place, 1), (2, -3), parse_math=False, **frame, **style)


class SavedFigure(NamedTuple):
    """A figure as a notebook shows it, once saved: with the finding in words for who cannot see."""

    svg: str
    alt: str
    name: str  # of its file below ``figures/``, without ending

    def _repr_svg_(self) -> tuple[str, dict[str, str]]:
        return self.svg, {"alt": self.alt, "name": self.name}


def _lighten(texts: Iterable[Text]) -> dict[str, list[str]]:
    """Set texts in the font that PDF embeds sooner; return what those need that come later."""
    default = plt.rcParams["font.family"]
    if font_manager.FontProperties().get_name() != WHOLE:
        return {}
    for text in texts:
        if text.get_fontfamily() == default and text.get_fontstyle() == "normal":
            text.set_fontfamily([FONT, *default])
    return {"font.family": [FONT, *default]}


def save_figure(figure: Figure, stem: Path | str, alt: str) -> SavedFigure:
    """Save as SVG and PNG, as PDF below ``exports``, with no date or random name, and close it."""
    place, width = Path(stem).as_posix(), figure.get_figwidth()
    texts = [text for text in figure.findobj(Text) if text.get_visible()]
    sizes = [(text.get_text(), text.get_fontsize() / 72 * PHONE / width) for text in texts]
    small = {text: round(pixels, 1) for text, pixels in sizes if text.strip() and pixels < LEAST}
    told = f"a phone shows these {width} inches {PHONE} pixels wide, and these texts below {LEAST}"
    require(not small, f"{told}: {small}. Draw it {WIDTH} inches wide, no text below 'small'")
    fonts = {"pdf.fonttype": 42, **_lighten(texts)}  # TrueType, as journals ask
    drawn = {}
    for end, date in (("svg", "Date"), ("png", "Software"), ("pdf", "CreationDate")):
        buffer = io.BytesIO()  # texts as paths, or with their fonts: none is missing
        with plt.rc_context(fonts):
            figure.savefig(buffer, format=end, dpi=150, metadata={date: None})
        with plt.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
            figure.set_layout_engine(None)  # as it is: to lay out takes as long as to draw
        drawn[end] = buffer.getvalue()
    plt.close(figure)
    # matplotlib names parts by coordinates, whose last digits differ between processors
    parts, own = dict.fromkeys(PART.findall(drawn["svg"])), Path(stem).name
    names = {x: f"p{sha256(f'{own} {nth}'.encode())[:10]}".encode() for nth, x in enumerate(parts)}
    drawn["svg"] = PART.sub(lambda part: names[part[0]], drawn["svg"])
    stems = {"pdf": re.sub("^(.*/|)figures/", r"\1exports/figures/", place)}
    write_together({Path(f"{stems.get(end, place)}.{end}"): made for end, made in drawn.items()})
    return SavedFigure(drawn["svg"].decode(), alt, place.rpartition("figures/")[2])
