"""The series from dense to empty as one picture for a lecture: frames, importance, defocus of patches, who was right.

Drawn with matplotlib's figure objects, so that no window system and no global state is touched.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.workflows.estimates import VERDICT_WORDS, with_uncertainty
from napari_autofocus.workflows.report import DOUBTED, INK, TRUSTED
from napari_autofocus.workflows.reports.estimate_layout import MUTED, headline
from napari_autofocus.workflows.reports.frame_panels import (
    IMPORTANCE_COLOURS,
    colour_limit_um,
    diverging,
    draw_frame,
    draw_importance,
    draw_patch,
    draw_scale_bar,
    reduced,
    tick,
)
from napari_autofocus.workflows.sparse.answers import draw_answers
from napari_autofocus.workflows.sparse.records import SparsityField

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
STAIN_WORDS = {
    "he": "H&E tissue",
    "ihc": "IHC tissue",
    "cytology": "Pap-stained cells",
    "blood": "blood smear",
    "unstained": "unstained cells",
    "fluorescence": "fluorescent nuclei",
    "beads": "fluorescent beads",
}
_LEFT_IN, _RIGHT_IN, _PANEL_IN, _GAP_IN = 2.35, 1.25, 2.95, 0.2
_TITLE_IN, _CAPTION_IN, _VERDICT_IN, _BARS_IN = 0.85, 0.75, 0.35, 1.95
_LABEL_IN, _LINE_IN = 0.95, 0.23
_ROWS = ("Frame", "Content importance,\nchosen patches\noutlined", "Defocus of the\nchosen patches, µm")
_DPI = 300


@dataclass(frozen=True)
class _Layout:
    """Where panels stand, inches turned into shares of the figure; all fields are of one shape."""

    columns: int
    aspect: float
    notes: str

    @property
    def panel_height_in(self) -> float:
        return _PANEL_IN * self.aspect

    @property
    def width_in(self) -> float:
        return _LEFT_IN + self.columns * (_PANEL_IN + _GAP_IN) - _GAP_IN + _RIGHT_IN

    @property
    def note_lines(self) -> list[str]:
        return textwrap.wrap(self.notes, round(11 * self.width_in))

    @property
    def foot_in(self) -> float:
        return _LABEL_IN + _LINE_IN * len(self.note_lines)

    @property
    def size_in(self) -> tuple[float, float]:
        images = 3 * (self.panel_height_in + _GAP_IN)
        return self.width_in, _TITLE_IN + _CAPTION_IN + images + _VERDICT_IN + _BARS_IN + self.foot_in

    def panel(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width, height of an image (row 0 to 2) or of the bars (row 3)."""
        width, height = self.size_in
        tall = self.panel_height_in if row < 3 else _BARS_IN
        top = _TITLE_IN + _CAPTION_IN + row * (self.panel_height_in + _GAP_IN) + (_VERDICT_IN if row == 3 else 0.0)
        left = _LEFT_IN + column * (_PANEL_IN + _GAP_IN)
        return left / width, 1 - (top + tall) / height, _PANEL_IN / width, tall / height


def save_sparsity_figure(
    fields: Sequence[SparsityField], folder: Path, *, name: str = "sparsity", formats: Sequence[str] = FORMATS
) -> tuple[Path, ...]:
    """Draw the series into a folder: PNG at 300 dpi, PDF and SVG.

    Parameters
    ----------
    fields : sequence of SparsityField
        In the order shown, all of one shape.
    folder : Path
        Made if need be; files of the same name are replaced.
    name : str
        Of the files, without suffix.
    formats : sequence of str
        Of :data:`FORMATS`.

    Returns
    -------
    tuple of Path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise InputError(f"A figure cannot be written as {', '.join(unknown)}; use one of {', '.join(FORMATS)}.")
    make_folder(folder)
    figure = FigureCanvasAgg(draw_sparsity(fields)).figure
    targets = tuple(folder / f"{name}.{each}" for each in formats)
    for target, kind in zip(targets, formats, strict=True):
        with replacing(target) as unfinished:
            figure.savefig(unfinished, format=kind, dpi=_DPI)
    return targets


def draw_sparsity(fields: Sequence[SparsityField]) -> Figure:
    """The picture as a matplotlib figure: a column for each field; frame, importance, defocus and answers below.

    Raises
    ------
    InputError
        If there is no field, or fields differ in shape.
    """
    from matplotlib.figure import Figure

    shapes = {each.frame.image.shape[:2] for each in fields}
    if len(shapes) != 1:
        raise InputError(f"The figure needs one field or more, all of one shape; found the shapes {sorted(shapes)}.")
    ((height, width),) = shapes
    layout = _Layout(len(fields), height / width, _notes(fields[0]))
    figure = Figure(figsize=layout.size_in, dpi=100, facecolor="white")
    _write(figure, layout, fields)
    limit_um = colour_limit_um([patch for each in fields for patch in each.estimate.chosen_patches], fields[0].dof_um)
    for column, each in enumerate(fields):
        panels = [figure.add_axes(layout.panel(row, column)) for row in range(4)]
        _draw_field(panels, each, limit_um)
        draw_answers(panels[3], each, fields, named=column == 0)
    _draw_scales(figure, layout, limit_um)
    return figure


def _draw_field(panels: Sequence[Axes], found: SparsityField, limit_um: float) -> None:
    """The three images of a column."""
    image, shape = reduced(found.frame.image), found.frame.image.shape
    grey = image if image.ndim == 2 else image.mean(axis=2)
    inch_per_px = _PANEL_IN / shape[1]
    for axes, picture in zip(panels[:3], (image, grey, 0.5 + 0.5 * grey), strict=True):
        draw_frame(axes, picture, shape)
    panels[0].set_title(density_words(found), loc="left", size=15, weight="bold", color=INK, pad=26)
    panels[0].text(0, 1.03, content_words(found), transform=panels[0].transAxes, size=11.5, color=MUTED)
    draw_scale_bar(panels[0], found.frame, inch_per_px)
    draw_importance(panels[1], found.estimate, image.shape[:2], shape[:2])
    colours = diverging(limit_um)
    for patch in found.estimate.chosen_patches:
        draw_patch(panels[2], patch, colours, inch_per_px, digits=(1, 0))
    colour = TRUSTED if found.estimate.trusted else DOUBTED
    style: dict[str, Any] = {"color": colour, "weight": "bold", "transform": panels[2].transAxes}
    panels[2].text(0, -0.035, _verdict_words(found.estimate), va="top", size=13, **style)


def density_words(found: SparsityField) -> str:
    """``Extremely sparse``."""
    return found.density.replace("-", " ").capitalize()


def content_words(found: SparsityField) -> str:
    """What the field holds: ``H&E tissue, 92 % of the area``."""
    if not found.has_content:
        return "Bare glass"
    percent = 100 * found.content_share
    share = f"{percent:.0f}" if percent >= 1 else f"{percent:.1g}"
    return f"{STAIN_WORDS.get(found.stain, found.stain)}, {share} % of the area"


def _verdict_words(estimate: FocusEstimate) -> str:
    if not estimate.trusted or estimate.defocus_um is None:
        return headline(estimate, 1.0)
    value = with_uncertainty(estimate.defocus_um, estimate.uncertainty_um).replace("-", "−")
    return f"{value}, {VERDICT_WORDS[estimate.verdict]}"


def _write(figure: Figure, layout: _Layout, fields: Sequence[SparsityField]) -> None:
    """Title, names of the rows, and what has to be known below."""
    width, height = layout.size_in
    first = fields[0]
    left = 0.35 / width
    truth = f"{first.true_um:+.1f} µm".replace("-", "−")
    figure.text(
        left,
        1 - 0.52 / height,
        f"How far out of focus? Every field stands at {truth}.",
        size=min(21, 1.4 * width),
        color=INK,
    )
    for row, words in enumerate(_ROWS):
        _, bottom, _, tall = layout.panel(row, 0)
        figure.text(left, bottom + tall / 2, words, size=13, color=INK, va="center", linespacing=1.35)
    notes = "\n".join(layout.note_lines)
    figure.text(
        left, (layout.foot_in - _LABEL_IN + 0.2) / height, notes, size=11, color=MUTED, va="top", linespacing=1.45
    )


def _notes(found: SparsityField) -> str:
    lens = found.frame.lens.name if found.frame.lens else "unknown objective"
    return (
        f"Simulated bright field, {lens}, depth of field {found.dof_um:g} µm (grey), {found.estimate.model}. A bar"
        " runs from the truth (line) to the answer; the numbers are the error in µm and the frames exposed. “Same"
        " network”: the model's own defocus network without the choice by importance; on a whole image resized it does"
        " what it was not trained for. Hill climbing follows the Brenner sharpness of the whole frame."
    )


def _draw_scales(figure: Figure, layout: _Layout, limit_um: float) -> None:
    """One bar of colours for a row, at the right."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    importance = ScalarMappable(Normalize(0, 1), IMPORTANCE_COLOURS)
    ticks: dict[int, Any] = {1: np.linspace(0, 1, 5), 2: np.linspace(-limit_um, limit_um, 5)}
    for row, colours in ((1, importance), (2, diverging(limit_um))):
        left, bottom, wide, tall = layout.panel(row, layout.columns - 1)
        axes = figure.add_axes((left + wide * 1.04, bottom + 0.1 * tall, wide * 0.05, tall * 0.8))
        style: dict[str, Any] = {"format": lambda value, _: tick(value)} if row == 2 else {}
        bar = figure.colorbar(colours, cax=axes, ticks=ticks[row], **style)
        bar.outline.set_visible(False)
        axes.tick_params(labelsize=11, labelcolor=INK, color=MUTED, length=3)
        if row == 2:
            axes.set_title("too close", size=11, color=MUTED, loc="left", pad=6)
            axes.set_xlabel("too far apart", size=11, color=MUTED, loc="left", labelpad=6)
