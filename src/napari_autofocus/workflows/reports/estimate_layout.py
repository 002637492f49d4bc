"""Where the parts of a frame's picture stand, and the words around its panels."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.io.frames import Frame
from napari_autofocus.workflows.estimates import (
    GUESSES,
    VERDICT_WORDS,
    interval_words,
    percent,
    side_words,
    with_uncertainty,
)
from napari_autofocus.workflows.report import DOUBTED, INK, TRUSTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Box = tuple[float, float, float, float]
"""Left, bottom, width and height in shares of the figure, as matplotlib's axes take them."""

MUTED = "#5f6670"
_WIDTH_IN, _MARGIN_IN, _PANEL_IN = 16.0, 0.4, 4.4
_LEFTS_IN = (0.4, 5.1, 10.2)
_TALLEST_IN, _HEADER_IN = 5.6, 1.5
_LINE_IN, _STRIP_IN = 0.235, 1.75
_STRIP_LEFT_IN = 10.2
_MOST_LINES = 9
_LONGEST_NAME = 52


@dataclass(frozen=True, eq=False)
class Layout:
    """Measures and words of one picture; the panels keep the frame's proportions.

    Parameters
    ----------
    path : str
        Where the frame lies.
    frame : Frame
        The image and its optics.
    estimate : FocusEstimate
        What the model says of it.
    dof_um : float
        Depth of field, µm.
    """

    path: str
    frame: Frame
    estimate: FocusEstimate
    dof_um: float

    DPI = 100

    @property
    def inch_per_px(self) -> float:
        """Scale of the panels: inches of the picture for a pixel of the frame."""
        height, width = self.frame.image.shape[:2]
        return float(min(_PANEL_IN / width, _TALLEST_IN / height))

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of the picture, inches."""
        return _WIDTH_IN, _HEADER_IN + self._panel_height_in + self._footer_in

    def panels(self) -> list[Box]:
        """The three panels from left to right."""
        return [self._box(left, self._footer_in, _PANEL_IN, self._panel_height_in) for left in _LEFTS_IN]

    def strip(self) -> Box | None:
        """The plot below the right panel; None where no patch has anything to say."""
        if not self._any_read:
            return None
        return self._box(_STRIP_LEFT_IN, self._footer_in - _STRIP_IN, _PANEL_IN, 0.95)

    def titles(self) -> tuple[str, str, str]:
        """Titles of the panels."""
        chosen, every = len(self.estimate.chosen_patches), len(self.estimate.patches)
        return "Frame", f"Importance of {every} patches, {chosen} chosen", "Defocus, µm"

    def write(self, figure: Figure) -> None:
        """Put heading and reasons on a figure."""
        height = self.size_in[1]
        right = (_STRIP_LEFT_IN + _PANEL_IN + 0.95) / _WIDTH_IN
        top, below = 1 - 0.5 / height, 1 - 0.82 / height
        figure.text(_MARGIN_IN / _WIDTH_IN, top, self._name(), size=16, weight="bold", color=INK)
        figure.text(_MARGIN_IN / _WIDTH_IN, below, self._facts(), size=11, color=MUTED)
        colour = TRUSTED if self.estimate.trusted and not self.estimate.warnings else DOUBTED
        figure.text(right, top, headline(self.estimate, self.dof_um), size=15, weight="bold", color=colour, ha="right")
        figure.text(right, below, findings(self.estimate), size=11, color=MUTED, ha="right")
        for number, (line, warns) in enumerate(self._lines()):
            y = (self._footer_in - 0.42 - _LINE_IN * number) / height
            figure.text(_MARGIN_IN / _WIDTH_IN, y, line, size=11, color=DOUBTED if warns else INK)

    @property
    def _panel_height_in(self) -> float:
        return float(self.frame.image.shape[0] * self.inch_per_px)

    @property
    def _footer_in(self) -> float:
        lines_in = 0.62 + _LINE_IN * len(self._lines())
        return max(lines_in, _STRIP_IN + 0.55) if self._any_read else lines_in

    @property
    def _any_read(self) -> bool:
        return any(patch.counts for patch in self.estimate.chosen_patches)

    def _lines(self) -> list[tuple[str, bool]]:
        """Warnings and reasons as lines of words, and whether a line belongs to a warning."""
        width = 108 if self._any_read else 175
        said = [(f"Warning: {text}", True) for text in self.estimate.warnings]
        said += [(text, False) for text in self.estimate.reasons]
        lines = [(line, warns) for text, warns in said for line in textwrap.wrap(text, width)]
        return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], ("…", False)]

    def _name(self) -> str:
        name = str(Path(*Path(self.path).parts[-2:]))
        return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"

    def _facts(self) -> str:
        height, width = self.frame.image.shape[:2]
        lens, pixel_um = self.frame.lens, self.frame.pixel_size_um
        facts = [f"{width} × {height} px", lens.name if lens else "objective not stated"]
        facts.append(f"{pixel_um:.4g} µm a pixel" if pixel_um else "pixel size not stated")
        return " · ".join([*facts, f"model {self.estimate.model}"] if self.estimate.model else facts)

    def _box(self, left: float, bottom: float, width: float, height: float) -> Box:
        across, up = self.size_in
        return left / across, bottom / up, width / across, height / up


def headline(estimate: FocusEstimate, dof_um: float) -> str:
    """The answer in a few words: value and side where it can be trusted, otherwise why it cannot."""
    verdict = VERDICT_WORDS[estimate.verdict].capitalize()
    if estimate.verdict == "uneven" and estimate.scan_um is not None:
        return f"Uneven: scan {_minus(interval_words(estimate.scan_um))} µm"
    if estimate.defocus_um is None:
        return f"{verdict}: no defocus"
    value = _minus(with_uncertainty(estimate.defocus_um, estimate.uncertainty_um))
    if estimate.verdict in GUESSES:
        return f"{verdict}: best guess {value}"
    return f"{value}, {side_words(estimate.defocus_um, dof_um)}"


def findings(estimate: FocusEstimate) -> str:
    """The numbers beside the answer: verdict, 90 % interval, direction, spread."""
    read = f"{len(estimate.chosen_patches)} of {len(estimate.patches)} patches read"
    if estimate.defocus_um is None:
        return read
    words = [VERDICT_WORDS[estimate.verdict]]
    if estimate.interval90_um is not None:
        words.append(f"90 %: {_minus(interval_words(estimate.interval90_um))} µm")
    words.append(f"direction {percent(estimate.direction_probability)}")
    if estimate.spread_um is not None:
        words.append(f"spread {estimate.spread_um:.2f} µm")
    return " · ".join(words)


def _minus(text: str) -> str:
    return text.replace("-", "−")
