"""A picture of one frame's defocus: the frame, how important each patch is, and what the chosen patches say.

Drawn with matplotlib's figure objects, so that no window system and no global state is touched. The words around the
panels are in ``estimate_words.py``.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction
from napari_autofocus.io.frames import Frame
from napari_autofocus.io.writing import replacing
from napari_autofocus.workflows.estimate_layout import Layout
from napari_autofocus.workflows.estimates import signed
from napari_autofocus.workflows.report import DOUBTED, FAINT, INK, THUMBNAIL_PX, report_name, thumbnail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

IMPORTANCE_COLOURS, DEFOCUS_COLOURS = "viridis", "RdBu_r"
ANSWER = "#b25e00"
LEGEND: dict[str, Any] = {"columnspacing": 1.2, "handletextpad": 0.5, "handlelength": 1.4, "borderaxespad": 0}
HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 4}
_SCALE_BARS_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_LIMITS_DOF = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / report_name(path, taken)
    with replacing(target) as unfinished:
        FigureCanvasAgg(draw_estimate(path, frame, estimate, dof_um=dof_um)).figure.savefig(unfinished, format="png")
    return target


def draw_estimate(path: str, frame: Frame, estimate: FocusEstimate, *, dof_um: float) -> Figure:
    """The picture as a matplotlib figure, 1600 px wide: three panels, a heading above, the reasons below."""
    from matplotlib.figure import Figure

    layout = Layout(path, frame, estimate, dof_um)
    figure = Figure(figsize=layout.size_in, dpi=layout.DPI, facecolor="white")
    layout.write(figure)
    image = _shown(frame.image)
    grey = image if image.ndim == 2 else image.mean(axis=2)
    panels = [figure.add_axes(box) for box in layout.panels()]
    for axes, picture, title in zip(panels, (image, grey, 0.5 + 0.5 * grey), layout.titles(), strict=True):
        _draw_frame(axes, picture, frame.image.shape, title)
    _draw_scale_bar(panels[0], frame, layout.inch_per_px)
    _draw_importance(panels[1], estimate, image.shape[:2], frame.image.shape[:2])
    _draw_defocus(panels[2], estimate, dof_um, layout.inch_per_px)
    strip = layout.strip()
    if strip is not None:
        _draw_strip(figure.add_axes(strip), estimate, dof_um)
    return figure


def _shown(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The frame small enough to draw, averaged rather than thinned out, and stretched as every report does."""
    factor = max(image.shape[:2]) / THUMBNAIL_PX
    if factor <= 1:
        return thumbnail(image)
    height, width = (max(1, round(side / factor)) for side in image.shape[:2])
    source = image if image.dtype in (np.uint8, np.uint16, np.float32) else image.astype(np.float32)
    return thumbnail(cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA))


def heatmap(
    patches: Sequence[PatchPrediction], shape: tuple[int, int], field_shape: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Importance laid over a reduced frame: the mean of the patches that cover a pixel, NaN where none does.

    Parameters
    ----------
    patches : sequence of PatchPrediction
        In pixels of the field.
    shape, field_shape : tuple of int
        Height and width of the reduced frame, and of the field, px.

    Returns
    -------
    np.ndarray, shape ``shape``, float32
    """
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    scale_y, scale_x = shape[0] / field_shape[0], shape[1] / field_shape[1]
    for patch in patches:
        rows = slice(round(patch.y * scale_y), round((patch.y + patch.size) * scale_y))
        columns = slice(round(patch.x * scale_x), round((patch.x + patch.size) * scale_x))
        total[rows, columns] += patch.importance
        count[rows, columns] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan)).astype(np.float32)


def colour_limit_um(patches: Sequence[PatchPrediction], dof_um: float) -> float:
    """Largest defocus that the colours tell apart, a whole number of depths of field and at least one, µm."""
    largest = max((abs(patch.defocus_um or 0.0) for patch in patches if patch.counts), default=0.0) / dof_um
    return dof_um * float(next((limit for limit in _LIMITS_DOF if limit >= largest), np.ceil(largest)))


def _draw_frame(axes: Axes, image: npt.NDArray[np.float32], shape: tuple[int, ...], title: str) -> None:
    height, width = shape[:2]
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    axes.set_anchor("NW")
    axes.spines[:].set_color("#c9cdd3")
    axes.set_title(title, loc="left", size=11.5, color=INK, pad=7)


def _draw_scale_bar(axes: Axes, frame: Frame, inch_per_px: float) -> None:
    height, width = frame.image.shape[:2]
    if frame.pixel_size_um is None:
        axes.text(0.03, 0.04, "pixel size not stated", transform=axes.transAxes, size=10, color=INK, bbox=HALO)
        return
    fitting = [length for length in _SCALE_BARS_UM if length / frame.pixel_size_um <= 0.3 * width]
    length_um = fitting[-1] if fitting else _SCALE_BARS_UM[0]
    long, inch = length_um / frame.pixel_size_um, 1 / inch_per_px
    x, y, around = 0.2 * inch, height - 0.2 * inch, (max(long, 0.6 * inch) - long) / 2
    corner = x - around - 0.1 * inch, y - 0.28 * inch
    axes.add_patch(_rectangle(corner, long + 2 * around + 0.2 * inch, 0.38 * inch, fc="white", ec="none", alpha=0.85))
    axes.plot([x, x + long], [y, y], color=INK, lw=3.5, solid_capstyle="butt")
    axes.text(x + long / 2, y - 0.05 * inch, f"{length_um} µm", ha="center", va="bottom", size=10, color=INK)


def _rectangle(corner: tuple[float, float], width: float, height: float, **style: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **style)


def _draw_importance(axes: Axes, estimate: FocusEstimate, shape: tuple[int, int], field_shape: tuple[int, int]) -> None:
    values = heatmap(estimate.patches, shape, field_shape)
    height, width = field_shape
    style: dict[str, Any] = {"cmap": IMPORTANCE_COLOURS, "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    drawn = axes.imshow(values, alpha=0.6, extent=(0, width, height, 0), **style)
    for colour, line in ((INK, 2.6), ("white", 1.2)):  # first all the dark ones, so that no white one is crossed
        for patch in estimate.chosen_patches:
            axes.add_patch(_rectangle((patch.x, patch.y), patch.size, patch.size, fill=False, ec=colour, lw=line))
    _colour_bar(axes, drawn)


def _colour_bar(axes: Axes, drawn: ScalarMappable, **style: Any) -> Axes:
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.02, 0, 0.028, 1)), **style)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9.5, color=FAINT, labelcolor=INK, length=3)
    return bar.ax


def _draw_defocus(axes: Axes, estimate: FocusEstimate, dof_um: float, inch_per_px: float) -> None:
    if not estimate.chosen_patches:
        axes.text(
            0.5, 0.5, "no patch was read", transform=axes.transAxes, ha="center", size=12, color=DOUBTED, bbox=HALO
        )
        return
    limit_um = colour_limit_um(estimate.chosen_patches, dof_um)
    colours = _diverging(limit_um)
    for patch in estimate.chosen_patches:
        _draw_patch(axes, patch, colours, inch_per_px)
    ticks = np.linspace(-limit_um, limit_um, 5)
    bar = _colour_bar(axes, colours, ticks=ticks, format=lambda value, _: _tick(value))
    bar.set_title("too close", size=9.5, color=FAINT, loc="left", pad=5)
    bar.set_xlabel("too far apart", size=9.5, color=FAINT, loc="left", labelpad=5)


def _diverging(limit_um: float) -> ScalarMappable:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(-limit_um, limit_um), colormaps[DEFOCUS_COLOURS])


def _tick(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def _draw_patch(axes: Axes, patch: PatchPrediction, colours: ScalarMappable, inch_per_px: float) -> None:
    from matplotlib.patheffects import withStroke

    box = (patch.x, patch.y), patch.size, patch.size
    if not patch.counts or patch.defocus_um is None:
        axes.add_patch(_rectangle(*box, fc="white", ec=FAINT, lw=1.0, hatch="///", alpha=0.8))
        return
    colour = colours.to_rgba(np.array(patch.defocus_um))
    axes.add_patch(_rectangle(*box, fc=colour, ec=INK, lw=0.7, alpha=0.9))
    text, size_pt = number_of(patch.defocus_um, patch.size * inch_per_px)
    ink = "white" if np.dot(colour[:3], (0.299, 0.587, 0.114)) < 0.5 else "black"
    middle = patch.x + patch.size / 2, patch.y + patch.size / 2
    drawn = axes.text(*middle, text, ha="center", va="center_baseline", size=size_pt, color=ink)
    drawn.set_path_effects([withStroke(linewidth=3, foreground=colour)])  # the outlines of overlapping patches


def number_of(defocus_um: float, width_in: float) -> tuple[str, float]:
    """A patch's number as it fits into so many inches, and its size in points; empty where it could not be read."""
    for digits in (2, 1):
        text = signed(defocus_um, digits).replace("-", "−")
        size_pt = min(10.0, 0.84 * width_in * 72 / (0.62 * len(text)))
        if size_pt >= 6.5:
            return text, size_pt
    return "", 6.5


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
