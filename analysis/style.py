"""What the figures share: colours, `percent_axis`, `interval_rows`, `legend_above`, `name_line`."""

import io
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.dates import DateLocator
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

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
DPI, OPEN = 150, io.open  # of the PNG; and what opens files
LEGEND: dict[str, Any] = {"frameon": False, "fontsize": "small"}
BLUE, ORANGE, GREEN = sns.color_palette("colorblind")[:3]
FONT, WHOLE = "DejaVu Sans Latin", "DejaVu Sans"  # the second cut to the first, drawn the same
for path in Path(__file__).with_name("fonts").glob("*.ttf"):
    fontManager.addfont(path)
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


class _Both(NamedTuple):
    """What draws an SVG, and all of it in a PDF too: to find where it goes takes longest."""

    svg: RendererSVG
    pdf: Any
    texts: list[tuple[str, float]]  # and their heights on a phone, in pixels

    def __getattr__(self, name: str) -> Any:
        first = getattr(self.pdf if name == "new_gc" else self.svg, name)  # an SVG can read it, too
        return partial(self._draw, name, first) if name.startswith("draw_") else first

    def _draw(self, name: str, first: Callable, gc: Any, *given: Any, **options: Any) -> None:
        first(gc, *given, **options)
        if name == "draw_text":  # a PDF is written from the bottom up
            x, y, text, font, *rest = given
            self.texts.append((text, font.get_size_in_points() * PHONE / self.svg.width))
            if font.get_name() == WHOLE and font.get_style() == "normal":
                font = font.copy()
                font.set_family([FONT, *font.get_family()])  # sooner embedded, where it has all
            given = (x, self.svg.height - y, text, font, *rest)
        getattr(self.pdf, name)(gc, *given, **options)


def _draw_vectors(figure: Figure) -> dict[str, bytes]:
    """Lay a figure out and draw it as SVG and PDF, both in one pass."""
    from matplotlib.backends.backend_pdf import PdfFile, RendererPdf  # 0.2 s to import

    width, height = figure.get_size_inches().tolist()
    svg, pdf = io.StringIO(), io.BytesIO()
    file = PdfFile(pdf, metadata={"CreationDate": None})
    file.newPage(width, height)
    figure.dpi = 72  # of both formats; parts drawn as pixels have those of DPI
    shapes = RendererSVG(72 * width, 72 * height, svg, image_dpi=DPI, metadata={"Date": None})
    both = _Both(shapes, RendererPdf(file, DPI, height, width), [])
    renderer = MixedModeRenderer(figure, width, height, DPI, both)
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg = lambda *_: figure.draw(renderer)  # the layout measures with it, too
    canvas.print_svg()
    small = {text: round(size, 1) for text, size in sorted(both.texts)[::-1] if size < LEAST}
    told = f"a phone shows these {width} inches {PHONE} pixels wide, and these texts below {LEAST}"
    require(not small, f"{told}: {small}. Draw it {WIDTH} inches wide, no text below 'small'")
    for finished in (shapes.finalize, both.pdf.finalize, file.finalize, file.close):
        finished()
    return {"svg": svg.getvalue().encode(), "pdf": pdf.getvalue()}


def save_figure(figure: Figure, stem: Path | str, alt: str) -> SavedFigure:
    """Save as SVG and PNG, as PDF below ``exports``, with no date or random name, and close it."""
    place = Path(stem).as_posix()
    for axis in [each for ax in figure.axes for each in (ax.xaxis, ax.yaxis)]:
        if isinstance(axis.get_major_locator(), DateLocator):  # else sought ten times a drawing
            written = axis.get_major_formatter().format_ticks(dates := axis.get_majorticklocs())
            offset, kept = axis.get_major_formatter().get_offset(), FixedFormatter(written)
            kept.set_offset_string(offset)
            axis.set(major_locator=FixedLocator(dates), major_formatter=kept)
    # matplotlib before 3.12 asks a font's file for each letter, many times
    io.open = lambda *to, **how: OPEN(*to, *[2**20] * (len(to) == 2 and not how), **how)
    try:
        with plt.rc_context({"pdf.fonttype": 42}):  # TrueType, as journals ask
            drawn = _draw_vectors(figure)
    finally:
        io.open = OPEN
    figure.set_layout_engine("none")  # as it is: to lay out takes as long as to draw
    figure.dpi, png = DPI, io.BytesIO()
    FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})
    drawn["png"] = png.getvalue()
    plt.close(figure)
    # matplotlib names parts by coordinates, whose last digits differ between processors
    parts, own = dict.fromkeys(PART.findall(drawn["svg"])), Path(stem).name
    names = {x: f"p{sha256(f'{own} {nth}'.encode())[:10]}".encode() for nth, x in enumerate(parts)}
    drawn["svg"] = PART.sub(lambda part: names[part[0]], drawn["svg"])
    stems = {"pdf": re.sub("^(.*/|)figures/", r"\1exports/figures/", place)}
    write_together({Path(f"{stems.get(end, place)}.{end}"): made for end, made in drawn.items()})
    return SavedFigure(drawn["svg"].decode(), alt, place.rpartition("figures/")[2])
