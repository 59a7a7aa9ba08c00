"""What the figures share: colours, labels, and how they are saved."""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.files import write_atomically

RATE_LABEL = "Deaths per 100,000 person-years"
REAL, FITTED = "#c1440e", "#20639b"  # what came, beside placebos or forecasts; a model's line
COLOURS = dict(
    zip(
        ("fit", "forecast", "segmented", "inegi", "sesnsp"),
        sns.color_palette("colorblind")[:5],
        strict=True,
    )
)
COLOURS |= {"inegi": COLOURS["fit"], "sesnsp": COLOURS["forecast"]}


def percent_axis(axis: Axis, ticks: Sequence[float], zero: str = "0") -> None:
    """Give an axis of log rate ratios its ticks and their labels in percent."""
    axis.set_major_locator(FixedLocator(np.log1p(np.array(ticks) / 100).tolist()))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{100 * np.expm1(x):+.0f}%" if x else zero)
    )


def save_figure(figure: Figure, stem: Path | str) -> None:
    """Save a figure as ``stem.svg`` and ``stem.png`` without a date or a random identifier."""
    with mpl.rc_context({"svg.hashsalt": Path(stem).name, "svg.fonttype": "none"}):
        for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix[1:], dpi=150, metadata=metadata)
            write_atomically(Path(f"{stem}{suffix}"), buffer.getvalue())
