"""Panels of pictures that show one frame: the frame itself, its importance, the defocus of its patches, their colours.

Parts of ``estimate.py`` and ``sparse/figure.py``; drawn on axes that are handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction
from napari_autofocus.io.frames import Frame
from napari_autofocus.workflows.estimates import signed
from napari_autofocus.workflows.report import FAINT, INK, THUMBNAIL_PX, thumbnail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle

IMPORTANCE_COLOURS, DEFOCUS_COLOURS = "viridis", "RdBu_r"
HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 4}
_SCALE_BARS_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_LIMITS_DOF = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)


def reduced(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
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


def draw_frame(axes: Axes, image: npt.NDArray[np.float32], shape: tuple[int, ...], title: str = "") -> None:
    """A frame without ticks, in pixels of the field whatever the size it was reduced to."""
    height, width = shape[:2]
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    axes.set_anchor("NW")
    axes.spines[:].set_color("#c9cdd3")
    axes.set_title(title, loc="left", size=11.5, color=INK, pad=7)


def draw_scale_bar(axes: Axes, frame: Frame, inch_per_px: float) -> None:
    """How long some µm are, in the lower left corner."""
    height, width = frame.image.shape[:2]
    if frame.pixel_size_um is None:
        axes.text(0.03, 0.04, "pixel size not stated", transform=axes.transAxes, size=10, color=INK, bbox=HALO)
        return
    fitting = [length for length in _SCALE_BARS_UM if length / frame.pixel_size_um <= 0.3 * width]
    length_um = fitting[-1] if fitting else _SCALE_BARS_UM[0]
    long, inch = length_um / frame.pixel_size_um, 1 / inch_per_px
    x, y, around = 0.2 * inch, height - 0.2 * inch, (max(long, 0.6 * inch) - long) / 2
    corner = x - around - 0.1 * inch, y - 0.28 * inch
    axes.add_patch(rectangle(corner, long + 2 * around + 0.2 * inch, 0.38 * inch, fc="white", ec="none", alpha=0.85))
    axes.plot([x, x + long], [y, y], color=INK, lw=3.5, solid_capstyle="butt")
    axes.text(x + long / 2, y - 0.05 * inch, f"{length_um} µm", ha="center", va="bottom", size=10, color=INK)


def rectangle(corner: tuple[float, float], width: float, height: float, **style: Any) -> Rectangle:
    """A rectangle to add to axes."""
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **style)


def colour_bar(axes: Axes, drawn: ScalarMappable, **style: Any) -> Axes:
    """A bar of colours at the right of a panel; returns its axes."""
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.02, 0, 0.028, 1)), **style)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9.5, color=FAINT, labelcolor=INK, length=3)
    return bar.ax


def diverging(limit_um: float) -> ScalarMappable:
    """The colours of defocus around zero, up to a limit, µm."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(-limit_um, limit_um), colormaps[DEFOCUS_COLOURS])


def tick(value: float) -> str:
    """A number of a scale with its sign."""
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def draw_patch(
    axes: Axes, patch: PatchPrediction, colours: ScalarMappable, inch_per_px: float, digits: Sequence[int] = (2, 1)
) -> None:
    """A patch in the colour of its defocus with its number; hatched where the prediction is unsound.

    Parameters
    ----------
    axes : Axes
        In pixels of the field.
    patch : PatchPrediction
        The patch.
    colours : ScalarMappable
        From :func:`diverging`.
    inch_per_px : float
        Scale of the panel.
    digits : sequence of int
        Digits after the point, the first that is legible.
    """
    from matplotlib.patheffects import withStroke

    box = (patch.x, patch.y), patch.size, patch.size
    if not patch.counts or patch.defocus_um is None:
        axes.add_patch(rectangle(*box, fc="white", ec=FAINT, lw=1.0, hatch="///", alpha=0.8))
        return
    colour = colours.to_rgba(np.array(patch.defocus_um))
    axes.add_patch(rectangle(*box, fc=colour, ec=INK, lw=0.7, alpha=0.9))
    text, size_pt = number_of(patch.defocus_um, patch.size * inch_per_px, digits)
    ink = "white" if np.dot(colour[:3], (0.299, 0.587, 0.114)) < 0.5 else "black"
    middle = patch.x + patch.size / 2, patch.y + patch.size / 2
    drawn = axes.text(*middle, text, ha="center", va="center_baseline", size=size_pt, color=ink)
    drawn.set_path_effects([withStroke(linewidth=3, foreground=colour)])  # the outlines of overlapping patches


def number_of(defocus_um: float, width_in: float, digits: Sequence[int] = (2, 1)) -> tuple[str, float]:
    """A patch's number as it fits into so many inches, and its size in points; empty where it could not be read."""
    for count in digits:
        text = signed(defocus_um, count).replace("-", "−")
        size_pt = min(10.0, 0.84 * width_in * 72 / (0.62 * len(text)))
        if size_pt >= 6.5:
            return text, size_pt
    return "", 6.5


def draw_importance(
    axes: Axes, estimate: FocusEstimate, shape: tuple[int, int], field_shape: tuple[int, int]
) -> AxesImage:
    """Importance laid over a frame, the chosen patches outlined; returns what a bar of colours can be made of."""
    values = heatmap(estimate.patches, shape, field_shape)
    height, width = field_shape
    style: dict[str, Any] = {"cmap": IMPORTANCE_COLOURS, "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    drawn = axes.imshow(values, alpha=0.6, extent=(0, width, height, 0), **style)
    for colour, line in ((INK, 2.6), ("white", 1.2)):  # first all the dark ones, so that no white one is crossed
        for patch in estimate.chosen_patches:
            axes.add_patch(rectangle((patch.x, patch.y), patch.size, patch.size, fill=False, ec=colour, lw=line))
    return drawn
