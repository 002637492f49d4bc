"""How the figures of the page "How it works" look: the colours of the page of evidence, and quiet axes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from evidence_figures import COLOURS, GRID, INK, MUTED
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLOURS", "GRID", "IMAGES", "INK", "MUTED", "dress", "figure", "legend", "save"]

IMAGES = Path(__file__).parent / "images"
DENSITY_COLOURS = dict(zip(("dense", "sparse", "extremely-sparse"), COLOURS, strict=False))


def figure(wide_in: float, high_in: float) -> Figure:
    """A figure of no window system."""
    return Figure(figsize=(wide_in, high_in), facecolor="white", layout="constrained")


def dress(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """A title and names of the axes; a pale grid in place of a frame."""
    axes.set_title(title, fontsize=9.5, color=INK, loc="left", weight="bold")
    axes.set_xlabel(x, fontsize=8.5, color=MUTED)
    axes.set_ylabel(y, fontsize=8.5, color=MUTED)
    axes.tick_params(labelsize=8, colors=MUTED, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def legend(axes: Axes, place: str = "best", columns: int = 1) -> None:
    """What the colours mean."""
    axes.legend(fontsize=7.5, frameon=False, labelcolor=INK, handlelength=1.8, loc=place, ncols=columns)


def save(drawn: Figure, name: str, *, dpi: int = 110) -> None:
    """Write a figure into ``images/``: SVG with its text as outlines, or JPEG."""
    path = IMAGES / name
    how = {"metadata": {"Date": None}} if path.suffix == ".svg" else {"pil_kwargs": {"quality": 86, "optimize": True}}
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
        drawn.savefig(path, dpi=dpi, **how)
