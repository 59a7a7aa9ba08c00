"""What the figures share: colours, labels, and how they are saved."""

import io
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

from analysis.files import write_atomically

RATE_LABEL = "Deaths per 100,000 person-years"
COLOURS = dict(
    zip(
        ("fit", "forecast", "segmented", "inegi", "sesnsp"),
        sns.color_palette("colorblind")[:5],
        strict=True,
    )
)
COLOURS |= {"inegi": COLOURS["fit"], "sesnsp": COLOURS["forecast"]}


def save_figure(figure: Figure, stem: Path | str) -> None:
    """Save a figure as ``stem.svg`` and ``stem.png`` without a date or a random identifier."""
    with mpl.rc_context({"svg.hashsalt": Path(stem).name, "svg.fonttype": "none"}):
        for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix[1:], dpi=150, metadata=metadata)
            write_atomically(Path(f"{stem}{suffix}"), buffer.getvalue())
