"""The figures of the page of evidence, as SVG; each carries a digest of its data, by which a stale one is known.

Drawn with matplotlib's figure objects: no window system, no global state. Text is drawn as outlines, so that a figure
looks the same everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

INK, MUTED, GRID = "#1d2733", "#5b6875", "#e3e8ee"
COLOURS = ("#0b6e99", "#d1670a", "#3d8b40", "#8e4aa8", "#b5892b", "#7a8794", "#c03a5b", "#4a5fc1", "#2f9e9e", "#6b4f3a")
STYLES = ("-", "--", ":", "-.")
_WIDE, _HIGH = 4.4, 3.1
Panel = dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """A figure to be: its file, and its panels as plain data.

    Parameters
    ----------
    file : str
        In ``docs/images``.
    panels : list of dict
        Each with ``title``, ``x`` and ``y`` (names of the axes). ``lines``: each with ``name``, ``x``, ``y``, and if
        wanted ``low`` and ``high`` (a band), ``colour``, ``style``, ``marker``. ``points``: each with ``name``, ``x``,
        ``y``. ``hlines``: each with ``y``, ``name``. If wanted: ``log_x``, ``log_y``, ``y_limits``, ``ticks`` (places
        and names along x), ``legend`` (``beside``, or False for none), ``wide``.
    columns : int
        Panels side by side.
    """

    file: str
    panels: list[Panel]
    columns: int = 2

    @property
    def digest(self) -> str:
        """Of the data and of how it is drawn."""
        said = json.dumps([self.panels, self.columns, _STYLE], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:24]

    def is_in(self, folder: Path) -> bool:
        """Whether the figure lies there as this would draw it."""
        path = folder / self.file
        return path.is_file() and f"data {self.digest}" in path.read_text(encoding="utf-8")

    def draw(self, folder: Path) -> None:
        """Write the figure."""
        columns = min(self.columns, len(self.panels))
        rows = -(-len(self.panels) // columns)
        with mpl.rc_context({"svg.hashsalt": self.file, "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
            wide = _WIDE * (2.1 if self.panels[0].get("wide") else columns)
            figure = Figure(figsize=(wide, _HIGH * rows), facecolor="white", layout="constrained")
            for number, panel in enumerate(self.panels):
                _draw(figure.add_subplot(rows, columns, number + 1), panel)
            metadata = {"Date": None, "Creator": "docs/make_evidence.py", "Description": f"data {self.digest}"}
            figure.savefig(folder / self.file, format="svg", metadata=metadata)


_STYLE = 2
"""Counted up where drawings change, so that figures are drawn anew."""


def _draw(axes: Axes, panel: Panel) -> None:
    _dress(axes, panel)
    for number, line in enumerate(panel.get("lines", [])):
        colour, style = line.get("colour", number), line.get("style", 0)
        look = {"color": COLOURS[colour % len(COLOURS)], "linestyle": STYLES[style % len(STYLES)]}
        marker = line.get("marker", "o")
        axes.plot(line["x"], line["y"], label=line["name"], linewidth=1.6, marker=marker, markersize=3.2, **look)
        if "low" in line:
            axes.fill_between(line["x"], line["low"], line["high"], color=look["color"], alpha=0.13, linewidth=0)
    for number, point in enumerate(panel.get("points", [])):
        colour = COLOURS[number % len(COLOURS)]
        axes.plot([point["x"]], [point["y"]], "o", markersize=6, color=colour, label=point["name"])
    for line in panel.get("hlines", []):
        axes.axhline(line["y"], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), label=line.get("name"), zorder=1)
    _finish(axes, panel)


def _dress(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel["title"], fontsize=9.5, color=INK, loc="left", weight="bold")
    axes.set_xlabel(panel["x"], fontsize=8.5, color=MUTED)
    axes.set_ylabel(panel["y"], fontsize=8.5, color=MUTED)
    axes.tick_params(labelsize=8, colors=MUTED, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _finish(axes: Axes, panel: Panel) -> None:
    scales: list[tuple[str, Callable[..., Any], Any]] = [
        ("log_x", axes.set_xscale, axes.xaxis),
        ("log_y", axes.set_yscale, axes.yaxis),
    ]
    for key, scale, axis in scales:
        if panel.get(key):
            scale("log")
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_minor_locator(NullLocator())
    if "ticks" in panel:
        names = panel["ticks"]
        axes.set_xticks([at for at, _ in names], [name for _, name in names], fontsize=7.5)
    elif not panel.get("log_x"):
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 4, 5, 10)))
    if not panel.get("log_y"):
        axes.set_ylim(*panel.get("y_limits", (0, None)))
    elif "y_limits" in panel:
        axes.set_ylim(*panel["y_limits"])
    if panel.get("legend", True):
        place = (
            {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if panel.get("legend") == "beside" else {"loc": "best"}
        )
        axes.legend(fontsize=7.5, frameon=False, labelcolor=INK, handlelength=1.8, **place)
