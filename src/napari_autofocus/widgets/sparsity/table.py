"""The answers of several methods to one field, as a table and in a sentence."""

from __future__ import annotations

from qtpy.QtGui import QColor

from napari_autofocus.widgets.parts.quiet_table import QuietTable
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.workflows.sparse.records import (
    EVERY_PATCH,
    HILL_CLIMBING,
    OURS,
    RIVALS,
    WHOLE_IMAGE,
    Answer,
    SparsityField,
)

NAMES = {
    OURS: "Chosen patches",
    EVERY_PATCH: "All patches, mean",
    WHOLE_IMAGE: "Whole image",
    HILL_CLIMBING: "Hill climbing",
}
_MEANT = {
    OURS: "The model: patches chosen by content importance, read at full resolution",
    EVERY_PATCH: "The model's own defocus network on all patches, without the choice by importance",
    WHOLE_IMAGE: "The model's own defocus network on the whole image resized: what it was not trained for",
    HILL_CLIMBING: "Classical search by the Brenner sharpness of the whole frame, a move for every frame",
}
_HEADERS = (
    ("Method", "How the defocus was found"),
    ("Answer", "Defocus that was found, µm"),
    ("Error", "Answer minus truth, µm"),
    ("DOF", "Size of the error in depths of field"),
    ("Frames", "Frames exposed for the answer"),
)
_REFUSALS = {"no_content": "refuses", "reverted": "gives up"}
_ROW_PX = 24
_WIDTH_PX = 300


class AnswerTable(QuietTable):
    """A row for each method, the model's own first.

    Parameters
    ----------
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, theme: str) -> None:
        super().__init__(_HEADERS, row_px=_ROW_PX, width_px=_WIDTH_PX)
        self._theme = theme
        self._found: SparsityField | None = None
        self.setRowCount(1 + len(RIVALS))
        self.setFixedHeight(_ROW_PX * (self.rowCount() + 1) + 4)
        self.show_field(None)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        self.show_field(self._found)

    def show_field(self, found: SparsityField | None) -> None:
        """Show a field's answers; methods that have none yet are named all the same."""
        self._found = found
        answers = {} if found is None else {answer.name: answer for answer in found.answers}
        for row, name in enumerate((OURS, *RIVALS)):
            answer = answers.get(name)
            self.put(row, 0, NAMES[name], _MEANT[name])
            texts = ("", "", "", "") if answer is None or found is None else row_of(answer, found.dof_um)
            for column, text in enumerate(texts, 1):
                self.put(row, column, text, answer.note if answer else "")
            self._colour(row, answer)

    def _colour(self, row: int, answer: Answer | None) -> None:
        """What is wrong, or claimed where there is nothing, stands out; the numbers say it too."""
        colours, found = theme_colours(self._theme), self._found
        if row == 0:
            for column in range(self.columnCount()):
                self.embolden(0, column)
        if answer is None or found is None or answer.answer_um is None:
            return
        if answer.error_um is None or abs(answer.error_um) > found.dof_um / 2:
            for column in (1, 2, 3):
                self.item(row, column).setForeground(QColor(colours.error))


def row_of(answer: Answer, dof_um: float) -> tuple[str, str, str, str]:
    """Answer, error, error in depths of field and frames, as shown."""
    if answer.answer_um is None:
        return _REFUSALS.get(answer.outcome, answer.outcome.replace("_", " ")), "–", "–", str(answer.frames)
    if answer.error_um is None:
        return _um(answer.answer_um), "–", "–", str(answer.frames)
    in_dof = f"{abs(answer.error_um) / dof_um:.2f}"
    return _um(answer.answer_um), _um(answer.error_um), in_dof, str(answer.frames)


def lesson(found: SparsityField) -> str:
    """What a field teaches, in a sentence."""
    claims = {answer.name: answer for answer in found.rivals}
    mean, read, patches = claims.get(EVERY_PATCH), len(found.estimate.chosen_patches), len(found.estimate.patches)
    if not found.has_content:
        claimed = [f"{_um(each.answer_um)} µm" for each in found.rivals if each.answer_um is not None]
        ours = "The model refuses to answer" if found.ours.answer_um is None else "The model answers all the same"
        return f"Nothing to focus on. {ours}; without importance the network claims {' and '.join(claimed)}."
    if found.ours.error_um is None:
        return f"The model does not answer: {' '.join(found.estimate.reasons)}"
    words = f"{read} of {patches} patches read: off by {abs(found.ours.error_um):.2f} µm, from one frame."
    if mean is not None and mean.error_um is not None:
        words += f" The mean over all patches is off by {abs(mean.error_um):.2f} µm."
    return words


def _um(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
