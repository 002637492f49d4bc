"""A picture of one frame's defocus: the frame, how important each patch is, and what the chosen patches say.

Drawn with matplotlib's figure objects, so that no window system and no global state is touched. The words around the
panels are in ``estimate_layout.py``, the panels' contents in ``frame_panels.py``.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.io.frames import Frame
from napari_autofocus.workflows.report import DOUBTED, FAINT, INK, report_name
from napari_autofocus.workflows.reports.estimate_layout import Layout
from napari_autofocus.workflows.reports.frame_panels import (
    HALO,
    colour_bar,
    colour_limit_um,
    diverging,
    draw_frame,
    draw_importance,
    draw_patch,
    draw_scale_bar,
    reduced,
    tick,
)
from napari_autofocus.workflows.reports.pictures import save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ANSWER = "#b25e00"
LEGEND: dict[str, Any] = {"columnspacing": 1.2, "handletextpad": 0.5, "handlelength": 1.4, "borderaxespad": 0}


def save_estimate_report(
    path: str, frame: Frame, estimate: FocusEstimate, folder: Path, *, dof_um: float, taken: Container[str] = ()
) -> Path:
    """Draw a frame's defocus into a PNG.

    Parameters
    ----------
    path : str
        Where the frame lies; names the picture.
    frame : Frame
        The image and its optics.
    estimate : FocusEstimate
        What the model says of it.
    folder : Path
        Made if need be; a picture of the same name is replaced.
    dof_um : float
        Depth of field, µm, in which the colours are scaled.
    taken : container of str
        Names already used for other frames.

    Returns
    -------
    Path
        Of the PNG.
    """
    return save_png(draw_estimate(path, frame, estimate, dof_um=dof_um), folder / report_name(path, taken))


def draw_estimate(path: str, frame: Frame, estimate: FocusEstimate, *, dof_um: float) -> Figure:
    """The picture as a matplotlib figure, 1600 px wide: three panels, a heading above, the reasons below."""
    from matplotlib.figure import Figure

    layout = Layout(path, frame, estimate, dof_um)
    figure = Figure(figsize=layout.size_in, dpi=layout.DPI, facecolor="white")
    layout.write(figure)
    image = reduced(frame.image)
    grey = image if image.ndim == 2 else image.mean(axis=2)
    panels = [figure.add_axes(box) for box in layout.panels()]
    for axes, picture, title in zip(panels, (image, grey, 0.5 + 0.5 * grey), layout.titles(), strict=True):
        draw_frame(axes, picture, frame.image.shape, title)
    draw_scale_bar(panels[0], frame, layout.inch_per_px)
    colour_bar(panels[1], draw_importance(panels[1], estimate, image.shape[:2], frame.image.shape[:2]))
    _draw_defocus(panels[2], estimate, dof_um, layout.inch_per_px)
    strip = layout.strip()
    if strip is not None:
        _draw_strip(figure.add_axes(strip), estimate, dof_um)
    return figure


def _draw_defocus(axes: Axes, estimate: FocusEstimate, dof_um: float, inch_per_px: float) -> None:
    if not estimate.chosen_patches:
        axes.text(
            0.5, 0.5, "no patch was read", transform=axes.transAxes, ha="center", size=12, color=DOUBTED, bbox=HALO
        )
        return
    limit_um = colour_limit_um(estimate.chosen_patches, dof_um)
    colours = diverging(limit_um)
    for patch in estimate.chosen_patches:
        draw_patch(axes, patch, colours, inch_per_px)
    ticks = np.linspace(-limit_um, limit_um, 5)
    bar = colour_bar(axes, colours, ticks=ticks, format=lambda value, _: tick(value))
    bar.set_title("too close", size=9.5, color=FAINT, loc="left", pad=5)
    bar.set_xlabel("too far apart", size=9.5, color=FAINT, loc="left", labelpad=5)


def _draw_strip(axes: Axes, estimate: FocusEstimate, dof_um: float) -> None:
    """The chosen patches along the defocus axis: do they agree within the depth of field?"""
    read = [patch for patch in estimate.chosen_patches if patch.counts]
    values = np.array([patch.defocus_um for patch in read], float)
    middle_um = float(np.median(values)) if estimate.defocus_um is None else estimate.defocus_um
    axes.axvspan(middle_um - dof_um / 2, middle_um + dof_um / 2, color="#e3e6ea", lw=0, label=f"DOF {dof_um:g} µm")
    if estimate.interval90_um is not None:
        axes.axvspan(*estimate.interval90_um, color=ANSWER, alpha=0.3, lw=0, label="90 % interval")
    if estimate.defocus_um is not None:
        axes.axvline(estimate.defocus_um, color=ANSWER, lw=1.8, label="estimate")
    errors = np.array([patch.uncertainty_um for patch in read], float)
    style: dict[str, Any] = {
        "fmt": "o",
        "ms": 4.5,
        "mec": "white",
        "mew": 0.5,
        "elinewidth": 0.7,
        "ecolor": "#9aa1ab",
        "color": INK,
    }
    axes.errorbar(values, [patch.importance for patch in read], xerr=errors, alpha=0.8, label="patch", **style)
    shown = [*values, middle_um - dof_um, middle_um + dof_um, *(estimate.interval90_um or ())]
    low, high = min(shown), max(shown)
    axes.set(xlim=(low - 0.3 * dof_um, high + 0.3 * dof_um), ylim=(0, 1.08), yticks=[0, 0.5, 1])
    axes.set_xlabel("defocus, µm", size=10, color=INK, labelpad=2)
    axes.set_ylabel("importance", size=10, color=INK)
    axes.tick_params(labelsize=9.5, color=FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.97), ncols=4, frameon=False, fontsize=9.5, **LEGEND)
