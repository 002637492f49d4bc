"""A page on what virtual refocusing gains on a data set: PSNR by the distance of the shots, and every pair.

Drawn with matplotlib's figure objects, so that no window system and no global state is touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_autofocus.models.refocus.dataset import RefocusEvaluation
from napari_autofocus.workflows.report import CURVE, DOUBTED, INK, TRUSTED
from napari_autofocus.workflows.reports.estimate_layout import MUTED
from napari_autofocus.workflows.reports.pictures import save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE = "evaluation.png"
_SIZE_IN, _DPI = (12.0, 5.4), 100


def save_refocus_report(found: RefocusEvaluation, folder: Path) -> Path:
    """Draw what was measured into ``evaluation.png``.

    Parameters
    ----------
    found : RefocusEvaluation
        Every pair, at least one; those of the base too, where there is one.
    folder : Path
        Made if need be; a picture of the same name is replaced.

    Returns
    -------
    Path
        Of the PNG.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    return save_png(draw_refocus(found), folder / PICTURE)


def draw_refocus(found: RefocusEvaluation) -> Figure:
    """The page as a figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_IN, dpi=_DPI, facecolor="white")
    told = found.figures()
    figure.text(0.06, 0.94, found.model, fontsize=15, fontweight="bold", color=INK)
    figure.text(0.06, 0.885, _headline(found, told), fontsize=10.5, color=MUTED)
    left, right = figure.add_axes((0.06, 0.13, 0.41, 0.66)), figure.add_axes((0.56, 0.13, 0.41, 0.66))
    _draw_psnr(left, found, told)
    _draw_gains(right, found)
    return figure


def _headline(found: RefocusEvaluation, told: dict[str, Any]) -> str:
    words = [
        f"{_signed(told['gain_db'])} over the sharper shot on {told['pairs']} pairs of planes",
        f"worst {_signed(told['worst_gain_db'])}",
        f"{100 * told['doubtful']:.0f} % called doubtful",
    ]
    if found.base is not None:
        words.append(f"{found.base.model} on the same: {_signed(told['base']['gain_db'])}")
    return "; ".join(words)


def _signed(gain_db: float) -> str:
    return f"{gain_db:+.2f} dB".replace("-", "−")


def _draw_psnr(axes: Axes, found: RefocusEvaluation, told: dict[str, Any]) -> None:
    rows = told["by_half_um"]
    half = [float(name) for name in rows]
    axes.plot(half, [row["sharper_db"] for row in rows.values()], "o--", color=MUTED, label="sharper shot")
    if found.base is not None:
        before = told["base"]["by_half_um"]
        axes.plot(half, [before[name]["recovered_db"] for name in rows], "o:", color=CURVE, label=found.base.model)
    axes.plot(half, [row["recovered_db"] for row in rows.values()], "o-", color=TRUSTED, label=found.model)
    axes.legend(frameon=False, fontsize=9)
    _label(axes, "PSNR against the plane in focus, dB", "Nearer to the truth is higher")


def _draw_gains(axes: Axes, found: RefocusEvaluation) -> None:
    """Every pair; a little aside of each other, so that equal distances do not hide one another."""
    rng = np.random.default_rng(0)
    widest = max(result.half_um for result in found.results)
    for doubtful, colour, name in ((False, TRUSTED, "recovered"), (True, DOUBTED, "called doubtful")):
        shown = [result for result in found.results if result.doubtful is doubtful]
        if shown:
            aside = rng.uniform(-0.012, 0.012, len(shown)) * widest
            half = np.array([result.half_um for result in shown]) + aside
            axes.plot(half, [result.gain_db for result in shown], "o", ms=5, alpha=0.7, color=colour, label=name)
    axes.axhline(0, color=INK, lw=0.8)
    axes.legend(frameon=False, fontsize=9)
    _label(axes, "gain over the sharper shot, dB", "Each pair of planes that was held out")


def _label(axes: Axes, upright: str, title: str) -> None:
    axes.set_xlabel("half the distance of the two shots, µm", color=INK)
    axes.set_ylabel(upright, color=INK)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", lw=0.7)
    axes.set_axisbelow(True)
