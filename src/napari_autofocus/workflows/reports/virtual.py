"""A picture of a recovered image: shots, result and truth, where the model is unsure, where it is wrong, and the cells.

Drawn with matplotlib's figure objects, so that no window system and no global state is touched.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.likeness import error_map
from napari_autofocus.io.frames import Frame
from napari_autofocus.workflows.report import DOUBTED, INK, THUMBNAIL_PX, TRUSTED, report_name
from napari_autofocus.workflows.reports.frame_panels import colour_bar, draw_frame, draw_scale_bar, reduced
from napari_autofocus.workflows.reports.pictures import save_png
from napari_autofocus.workflows.virtual.cell_counts import TRUE, outlines
from napari_autofocus.workflows.virtual_images import FIRST, RECOVERED, SECOND, RecoveredFiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Float32 = npt.NDArray[np.float32]

VERDICT_WORDS = {"recovered": "Recovered", "doubtful": "Doubtful: do not rely on it"}
_TITLES = {FIRST: "First shot", SECOND: "Second shot", RECOVERED: "Recovered (virtual)", TRUE: "True image"}
_PANEL_IN, _GAP_IN, _LEFT_IN, _TITLE_IN, _HEADER_IN = 4.4, 0.75, 0.4, 0.4, 1.15
_LINE_IN = 0.235
_CELLS = "#e6a700"
_SPREAD = 99.5
"""Percentile of the errors at which colours end."""


def save_virtual_report(found: RecoveredFiles, folder: Path) -> Path:
    """Draw a result into a PNG.

    Parameters
    ----------
    found : RecoveredFiles
        What was recovered.
    folder : Path
        Made if need be; a picture of the same name is replaced.

    Returns
    -------
    Path
        Of the PNG.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    return save_png(draw_virtual(found), folder / report_name(found.first.source).replace(".png", "_virtual.png"))


def draw_virtual(found: RecoveredFiles) -> Figure:
    """The picture as a matplotlib figure: images above, uncertainty and errors below, words around them."""
    from matplotlib.figure import Figure

    images, lines = found.images(), _lines(found)
    height, width = found.first.image.shape[:2]
    panel_in = _PANEL_IN * height / width
    across = 2 * _LEFT_IN + len(images) * (_PANEL_IN + _GAP_IN)
    footer = 0.35 + _LINE_IN * len(lines)
    up = _HEADER_IN + 2 * (panel_in + _TITLE_IN) + footer
    figure = Figure(figsize=(across, up), dpi=100, facecolor="white")

    def panel(row: int, column: int) -> Axes:
        left, bottom = _LEFT_IN + column * (_PANEL_IN + _GAP_IN), footer + (1 - row) * (panel_in + _TITLE_IN)
        return figure.add_axes((left / across, bottom / up, _PANEL_IN / across, panel_in / up))

    for column, (name, image) in enumerate(images.items()):
        axes = panel(0, column)
        draw_frame(axes, reduced(image), image.shape, _title(found, name))
        _draw_cells(axes, found, name)
        if column == 0:
            draw_scale_bar(axes, found.first, _PANEL_IN / width)
    _draw_uncertainty(panel(1, 0), found)
    if found.truth is not None:
        for column, name in enumerate((FIRST, SECOND, RECOVERED), start=1):
            _draw_error(panel(1, column), found, images, name)
    _write(figure, found, lines, up, across)
    return figure


def _write(figure: Figure, found: RecoveredFiles, lines: list[tuple[str, bool]], up: float, across: float) -> None:
    left = _LEFT_IN / across
    verdict = VERDICT_WORDS[found.virtual.verdict]
    colour = TRUSTED if found.virtual.trusted else DOUBTED
    figure.text(left, 1 - 0.42 / up, verdict, size=16, weight="bold", color=colour)
    down, right = found.virtual.shift_px
    facts = (
        f"{found.origin.first} and {found.origin.second} · model {found.virtual.model} · second shot"
        f" {down:+.2f} px down, {right:+.2f} px right"
    )
    figure.text(left, 1 - 0.7 / up, facts.replace("-0.00", "0.00"), size=11, color=INK)
    for number, (line, warns) in enumerate(reversed(lines)):
        figure.text(left, (0.2 + _LINE_IN * number) / up, line, size=11, color=DOUBTED if warns else INK)


def _lines(found: RecoveredFiles) -> list[tuple[str, bool]]:
    said = [(text, True) for text in (*found.virtual.reasons, *found.virtual.warnings)]
    said.append(("No camera took the recovered image: what it adds to the sharper shot is the model's.", False))
    return [(line, warns) for text, warns in said for line in textwrap.wrap(text, 150)]


def _title(found: RecoveredFiles, name: str) -> str:
    words = [_TITLES[name]]
    if name in found.likeness:
        likeness = found.likeness[name]
        words.append(f"{likeness.psnr_db:.2f} dB, SSIM {likeness.ssim:.3f}")
    if found.cells is not None:
        words.append(f"{found.cells.found[name].count} cells")
    return " · ".join(words)


def _draw_cells(axes: Axes, found: RecoveredFiles, name: str) -> None:
    if found.cells is None:
        return
    height, width = found.first.image.shape[:2]
    borders = _small(outlines(found.cells.found[name]).astype(np.float32)) > 0.2
    colours = np.zeros((*borders.shape, 4), np.float32)
    colours[borders] = [int(_CELLS[at : at + 2], 16) / 255 for at in (1, 3, 5)] + [1.0]
    axes.imshow(colours, extent=(0, width, height, 0), interpolation="nearest")


def _draw_uncertainty(axes: Axes, found: RecoveredFiles) -> None:
    small = 100 * _small(found.virtual.uncertainty)
    limit = max(float(np.percentile(small, _SPREAD)), 0.5)
    _draw_map(axes, small, found.first, "Uncertainty, % of full scale", (0.0, limit), "magma")


def _draw_error(axes: Axes, found: RecoveredFiles, images: dict[str, npt.NDArray[np.generic]], name: str) -> None:
    errors = {each: _grey_error(images[each], images[TRUE]) for each in (FIRST, SECOND, RECOVERED)}
    limit = max(*(float(np.percentile(np.abs(error), _SPREAD)) for error in errors.values()), 0.5)
    title = f"{_TITLES[name]} minus true, %"
    _draw_map(axes, errors[name], found.first, title, (-limit, limit), "RdBu_r")


def _grey_error(image: npt.NDArray[np.generic], truth: npt.NDArray[np.generic]) -> Float32:
    """Mean error of the colours, per cent of full scale, reduced."""
    error = error_map(image, truth)
    return 100 * _small(error.mean(axis=2) if error.ndim == 3 else error)


def _draw_map(axes: Axes, values: Float32, frame: Frame, title: str, limits: tuple[float, float], colours: str) -> None:
    height, width = frame.image.shape[:2]
    drawn = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], extent=(0, width, height, 0))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#c9cdd3")
    axes.set_title(title, loc="left", size=11.5, color=INK, pad=7)
    colour_bar(axes, drawn)


def _small(values: Float32) -> Float32:
    """Reduced to what a panel shows, averaged."""
    factor = max(values.shape) / THUMBNAIL_PX
    if factor <= 1:
        return values
    size = [max(1, round(side / factor)) for side in reversed(values.shape)]
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
