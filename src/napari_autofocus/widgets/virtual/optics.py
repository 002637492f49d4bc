"""The optics that shots were taken with: stated by the user or by their file, beside what the model was made for."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.package import VirtualCard
from napari_autofocus.models.seeing.optics_check import differences
from napari_autofocus.optics import PRESETS, Objective
from napari_autofocus.widgets.focus_state import FocusState
from napari_autofocus.widgets.parts.forms import NAME_PX, Message, choice, connect_while_alive, label, row, snug

_UNKNOWN = "unknown"
_TIP = "Objective that the shots were taken with, as 20x/0.75 or 100x/1.4 oil; a model refuses unknown optics"


class OpticsOfShots(QWidget):
    """Asks for the objective, tells where it is unlike the model's, and lets the user insist; ``changed`` tells it.

    Parameters
    ----------
    state : FocusState
        Is told the objective.
    theme : str
        Id of the napari theme whose colours are used.
    """

    changed = Signal()

    def __init__(self, state: FocusState, theme: str) -> None:
        super().__init__()
        self._state = state
        self._own: Objective | None = None
        self._card: VirtualCard | None = None
        self._build(theme)
        self.objective_box.activated.connect(self._on_objective_entered)
        self.objective_box.lineEdit().editingFinished.connect(self._on_objective_entered)
        self.insist_box.toggled.connect(self._on_insist_toggled)
        connect_while_alive(self, [(state.settings_changed, self._on_settings_changed)])
        self._show_objective()

    def _build(self, theme: str) -> None:
        self.objective_box = choice([(_UNKNOWN, None), *((name, name) for name in PRESETS)], _TIP)
        self.objective_box.setEditable(True)
        self.line = Message(theme)
        self.insist_box = QCheckBox("Use it all the same")
        self.insist_box.setToolTip(
            "Recover although the optics are unknown or unlike the model's: details may then be invented"
        )
        snug(self.line)
        title = label("Optics")
        title.setFixedWidth(NAME_PX)
        named = row(title, self.objective_box)
        named.setStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(named)
        column.addWidget(self.line)
        column.addWidget(self.insist_box)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.line.set_theme(theme)

    @property
    def insist(self) -> bool:
        """Whether to recover although the optics do not fit."""
        return bool(self.insist_box.isChecked())

    def show_own(self, objective: Objective | None) -> None:
        """The objective that the shots' own file names; it comes before the one that is stated."""
        if objective != self._own:
            self._own = objective
            self._show_objective()
            self._check()

    def compare_with(self, card: VirtualCard | None) -> None:
        """Another model is in use; None where there is none."""
        self._card = card
        self._check()

    def tell_differences(self, found: tuple[str, ...]) -> None:
        """In which ways the shots are unlike those that the model was made for; the user may insist."""
        self.insist_box.setVisible(self.insist or bool(found))
        self.line.say("" if self.insist else " ".join(found), "warning")

    def _on_objective_entered(self, *_: object) -> None:
        text = self.objective_box.currentText().strip()
        if self._own is not None or text == _name_of(self._state.objective):
            return
        try:
            objective = None if text in ("", _UNKNOWN) else Objective.parse(text)
        except InputError as error:
            self.line.fail(error)
            return
        self._state.choose_objective(objective)

    def _on_settings_changed(self) -> None:
        self._show_objective()
        self._check()
        self.changed.emit()

    def _show_objective(self) -> None:
        self.objective_box.setEnabled(self._own is None)
        self.objective_box.setEditText(_name_of(self._own or self._state.objective))
        self.objective_box.lineEdit().setCursorPosition(0)
        by_file = "" if self._own is None else "\nStated by the file of the shots"
        self.objective_box.setToolTip(f"{_TIP}{by_file}")

    def _check(self) -> None:
        """What can be told before the shots have been read."""
        lens, card = self._own or self._state.objective, self._card
        unlike = lens is not None and card is not None
        self.tell_differences(differences(card.optics, ImageOptics(lens), card.optics.colour) if unlike else ())

    def _on_insist_toggled(self, insist: bool) -> None:
        if insist:
            self.line.say("")
        else:
            self._check()
        self.changed.emit()


def _name_of(objective: Objective | None) -> str:
    return _UNKNOWN if objective is None else objective.name
