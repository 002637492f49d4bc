"""A picture of one stack's focus: its curve and verdict, where in the field focus lies, and its sharpest plane.

Drawn with matplotlib's figure objects, so that no window system and no global state is touched.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.zstack import FocusCurve, StackFocus, ZStack
from napari_autofocus.workflows.reports.pictures import save_png
from napari_autofocus.workflows.reports.tables import VERDICT_WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, CURVE = "#222222", "#8a8f98", "#1f5fa8"
TRUSTED, DOUBTED, PATCHES = "#1b7f4d", "#b25e00", "#7a3fa0"
THUMBNAIL_PX = 700
LARGEST_NUMBERED_GRID = 80
MOST_PATCH_CURVES = 100
_SUFFIX = re.compile(r"(\.ome)?\.(tiff?|zarr|btf|czi|nd2|png)$", re.I)


def save_report(path: str, stack: ZStack, focus: StackFocus, folder: Path, taken: Container[str] = ()) -> Path:
    """Draw a stack's focus into a PNG.

    Parameters
    ----------
    path : str
        Where the stack lies; names the picture.
    stack : ZStack
        Read for one plane, the sharpest.
    focus : StackFocus
        What was measured.
    folder : Path
        Made if need be; a picture of the same name is replaced.
    taken : container of str
        Names already used for other stacks.

    Returns
    -------
    Path
        Of the PNG.
    """
    return save_png(draw_report(path, stack, focus), folder / report_name(path, taken))


def report_name(path: str, taken: Container[str] = ()) -> str:
    """Name of a stack's picture: the stack's own, preceded by as many of its folders as make it unlike those taken."""
    parts = [part for part in Path(_SUFFIX.sub("", path)).parts if part.strip("/\\.:")] or ["stack"]
    names = ["_".join(parts[-count:]) + ".png" for count in range(1, len(parts) + 1)]
    return next((name for name in names if name not in taken), names[-1])


def draw_report(path: str, stack: ZStack, focus: StackFocus) -> Figure:
    """The picture as a matplotlib figure: curve and reasons on the left, patches and sharpest plane on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 7.4), dpi=110, facecolor="white")
    grid = figure.add_gridspec(
        2, 2, width_ratios=(2.1, 1), left=0.06, right=0.945, top=0.845, bottom=0.19, hspace=0.16, wspace=0.08
    )
    _draw_heading(figure, path, stack, focus)
    _draw_curves(figure.add_subplot(grid[:, 0]), focus)
    nearest = nearest_plane(focus.field)
    image = thumbnail(stack.plane(nearest))
    _draw_patches(figure.add_subplot(grid[0, 1]), image, focus)
    _draw_plane(figure.add_subplot(grid[1, 1]), image, focus, nearest)
    reasons = textwrap.fill(" ".join(focus.field.reasons), 170, max_lines=4, placeholder=" …")
    figure.text(0.06, 0.105, reasons, size=9.5, color=INK, va="top", linespacing=1.4)
    return figure


def nearest_plane(curve: FocusCurve) -> int:
    """The plane nearest to best focus; the sharpest one where there is no best focus."""
    if curve.best_z_um is None:
        return int(np.nanargmax(curve.sharpness))
    return int(np.argmin(np.abs(curve.z_um - curve.best_z_um)))


def thumbnail(plane: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """A plane small enough to draw: grey values stretched to 0 to 1, colours only brightened, to stay as they are.

    Parameters
    ----------
    plane : np.ndarray, shape (Y, X) or (Y, X, C)
        Colour where C is 3 or 4, otherwise its first channel is shown.

    Returns
    -------
    np.ndarray, shape (y, x) or (y, x, 3), float32
    """
    stride = max(1, -(-max(plane.shape[:2]) // THUMBNAIL_PX))
    small = plane[::stride, ::stride].astype(np.float32)
    if small.ndim == 3:
        small = small[..., :3] if small.shape[-1] >= 3 else small[..., 0]
    low, high = np.percentile(small, (0.2, 99.8))
    if small.ndim == 3:
        low = min(low, 0.0)
    return np.asarray(np.clip((small - low) / max(high - low, 1e-6), 0, 1), np.float32)


def _draw_heading(figure: Figure, path: str, stack: ZStack, focus: StackFocus) -> None:
    height, width = focus.grid.field_shape
    pixel = "pixel size not stated" if stack.pixel_size_um is None else f"{stack.pixel_size_um:.4g} µm a pixel"
    z_um = focus.field.z_um
    facts = f"{focus.planes} planes, z {_signed(z_um[0])} to {_signed(z_um[-1])} µm · {width} × {height} px · {pixel}"
    figure.text(0.06, 0.945, str(Path(*Path(path).parts[-2:])), size=16, weight="bold", color=INK)
    figure.text(0.06, 0.905, facts, size=10, color=FAINT)
    colour = TRUSTED if focus.field.trusted else DOUBTED
    figure.text(0.965, 0.945, _headline(focus), size=13, weight="bold", color=colour, ha="right")
    figure.text(0.965, 0.905, _patch_line(focus), size=10, color=FAINT, ha="right")


def _signed(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}g}".replace("-", "−")


def _headline(focus: StackFocus) -> str:
    best_um, error_um = focus.field.best_z_um, focus.field.uncertainty_um
    if best_um is None:
        return "Not trusted: no best focus"
    place = f"{best_um:.3f}".replace("-", "−") + ("" if error_um is None else f" ± {error_um:.3f}") + " µm"
    return f"Trusted: best focus at {place}" if focus.field.trusted else f"Not trusted: best guess {place}"


def _patch_line(focus: StackFocus) -> str:
    from_patches_um = focus.best_z_from_patches_um
    count = f"{len(focus.trusted_patches)} of {len(focus.patches)} patches trusted"
    return count if from_patches_um is None else f"{count}, focus by them at {from_patches_um:.3f} µm"


def _draw_curves(axes: Axes, focus: StackFocus) -> None:
    curve = focus.field
    trusted = [index for index, patch in enumerate(focus.patches) if patch.trusted]
    for index in trusted[:MOST_PATCH_CURVES]:
        axes.plot(curve.z_um, _unit(focus.patch_curves[index]), color=PATCHES, lw=0.7, alpha=0.18, zorder=1)
    if trusted:
        axes.plot([], [], color=PATCHES, lw=1, alpha=0.5, label="trusted patches")
    axes.plot(curve.z_um, _unit(curve.sharpness), "o-", color=CURVE, ms=4, lw=1.6, label="whole field", zorder=3)
    _draw_best(axes, focus)
    axes.set(xlabel="z of the focus drive, µm", ylabel="sharpness, least to greatest of each curve", ylim=(-0.05, 1.08))
    axes.grid(color="#e6e8eb", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(VERDICT_WORDS[curve.verdict].capitalize(), loc="left", size=12, color=INK)
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)


def _draw_best(axes: Axes, focus: StackFocus) -> None:
    best_um, error_um = focus.field.best_z_um, focus.field.uncertainty_um
    colour = TRUSTED if focus.field.trusted else DOUBTED
    if best_um is not None:
        name = "best focus" if focus.field.trusted else "best guess, not trusted"
        axes.axvline(best_um, color=colour, lw=1.5, label=name, zorder=2)
        if error_um is not None:
            axes.axvspan(best_um - error_um, best_um + error_um, color=colour, alpha=0.18, lw=0, label="± uncertainty")
    from_patches_um = focus.best_z_from_patches_um
    if from_patches_um is not None:
        axes.axvline(from_patches_um, color=PATCHES, lw=1.2, ls=(0, (4, 3)), label="focus by the patches", zorder=2)


def _unit(curve: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low, high = np.nanmin(curve), np.nanmax(curve)
    return np.asarray((curve - low) / max(high - low, np.finfo(float).tiny))


def _draw_patches(axes: Axes, image: npt.NDArray[np.float32], focus: StackFocus) -> None:
    height, width = focus.grid.field_shape
    grey = image if image.ndim == 2 else image.mean(axis=2)
    axes.imshow(0.55 + 0.45 * grey, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    axes.set_anchor("W")
    trusted = [patch for patch in focus.patches if patch.trusted and patch.best_z_um is not None]
    axes.set_title("Best z of each trusted patch, µm", loc="left", size=10.5, color=INK)
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    if not trusted:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 6}
        axes.text(0.5, 0.5, "no patch is trusted", transform=axes.transAxes, ha="center", color=DOUBTED, bbox=box)
        return
    values = np.array([patch.best_z_um for patch in trusted], float)
    low, high = _colour_limits(values, focus.field.z_um)
    shown = focus.grid.put_back(_grid_values(focus))
    drawn = axes.imshow(shown, cmap="viridis", vmin=low, vmax=high, alpha=0.72, extent=(0, width, height, 0))
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.025, 0, 0.035, 1)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, color=FAINT)
    if len(focus.patches) <= LARGEST_NUMBERED_GRID:
        for patch, value in zip(trusted, values, strict=True):
            colour = "white" if value < (low + high) / 2 else "black"
            middle = patch.x + patch.size / 2, patch.y + patch.size / 2
            axes.text(*middle, f"{value:.2f}", ha="center", va="center", size=7, color=colour)


def _grid_values(focus: StackFocus) -> npt.NDArray[np.float64]:
    values = [p.best_z_um if p.trusted and p.best_z_um is not None else np.nan for p in focus.patches]
    return np.array(values, float).reshape(focus.grid.shape)


def _colour_limits(values: npt.NDArray[np.float64], z_um: npt.NDArray[np.float64]) -> tuple[float, float]:
    """At least one step of the stack, so that a flat field does not look uneven."""
    low, high = np.percentile(values, (2, 98))
    half = max(high - low, float(np.median(np.diff(z_um)))) / 2
    return (low + high) / 2 - half, (low + high) / 2 + half


def _draw_plane(axes: Axes, image: npt.NDArray[np.float32], focus: StackFocus, nearest: int) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    axes.set_anchor("W")
    kind = "Sharpest plane" if focus.field.best_z_um is None else "Plane nearest to best focus"
    title = f"{kind}: {nearest + 1} of {focus.planes}, z = {_signed(focus.field.z_um[nearest])} µm"
    axes.set_title(title, loc="left", size=10.5, color=INK)
    axes.set(xticks=[], yticks=[])
