"""Whether the model in use fits what is looked at, which other one would, and what to do where none does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget

from napari_autofocus.errors import OpticsRefused
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.library import InstalledModel
from napari_autofocus.models.package import ModelCard
from napari_autofocus.models.seeing.optics_check import differences
from napari_autofocus.models.suggestion import Sight, Suggestion, misfits, suggest_model
from napari_autofocus.widgets.estimate.sight import SightWatch
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, row, snug
from napari_autofocus.widgets.session import Session

_WHY_NOT = Qt.ItemDataRole.UserRole + 1


class ModelFit(QWidget):
    """Says in what the model in use does not fit, and offers the one that does.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    wanted = Signal(object)
    """Told the file (Path) of the model that the user takes instead."""

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._state = session.focus
        self._installed: list[InstalledModel] = []
        self._used: Path | None = None
        self._watch = SightWatch(session, self)
        self.line = Message(theme)
        self.insist_box = QCheckBox("Use it all the same")
        self.insist_box.setToolTip(
            "Estimate although the optics are unknown or unlike the model's: even the sign of the defocus may be wrong"
        )
        self.use_button = button("", "Use the model that was made for this objective and camera")
        self.use_button.hide()
        snug(self.line)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addWidget(self.line)
        column.addLayout(row(self.use_button, self.insist_box, 1))
        self.insist_box.toggled.connect(self._on_insist_toggled)
        self.use_button.clicked.connect(self._on_use_clicked)
        state = self._state
        connect_while_alive(
            self,
            [
                (state.settings_changed, self.check),
                (state.sight_changed, self.check),
                (state.refused, self._on_refused),
                (state.estimated, self._on_estimated),
            ],
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.line.set_theme(theme)

    def use_installed(self, installed: Sequence[InstalledModel]) -> None:
        """Choose among these from now on."""
        self._installed = list(installed)
        self.check()

    def show_used(self, path: Path | None) -> None:
        """The model of this file is in use."""
        self._used = path
        self.check()

    def suggestion(self) -> Suggestion:
        """The model that fits what is looked at; of several the one in use, if it is among them."""
        found = suggest_model(self._installed, self._state.sight)
        used = [model for model in found.fitting if model.path == self._used]
        return Suggestion(
            found.sight, (*used, *(m for m in found.fitting if m not in used)), found.nearest, found.misfits
        )

    def check(self, *_: object) -> None:
        """What can be told before an image has been read."""
        model, sight = self._state.chosen, self._state.sight
        self._tell(() if model is None else _differences(model.card, sight))

    def _on_insist_toggled(self, insist: bool) -> None:
        if insist != self._state.insist:
            self._state.set_insist(insist)

    def _on_use_clicked(self) -> None:
        model = self.suggestion().model
        if model is not None:
            self.wanted.emit(model.path)

    def _on_refused(self, error: Exception) -> None:
        if isinstance(error, OpticsRefused):
            self._tell(error.differences)

    def _on_estimated(self, _: object) -> None:
        if not self._state.insist:  # what was estimated without insisting fits
            self._tell(())

    def _tell(self, found: tuple[str, ...]) -> None:
        insist = self._state.insist
        self.insist_box.setChecked(insist)
        self.insist_box.setVisible(insist or bool(found))
        better = self._better() if found and not insist else None
        self.use_button.setVisible(better is not None)
        if better is not None:
            self.use_button.setText(f"Use {better.name}")
        self.line.say("" if insist else " ".join((*found, *self._advice(found, better))), "warning")

    def _better(self) -> InstalledModel | None:
        model = self.suggestion().model
        return model if model is not None and model.path != self._used else None

    def _advice(self, found: tuple[str, ...], better: InstalledModel | None) -> tuple[str, ...]:
        """What to do where no installed model fits."""
        suggestion = self.suggestion()
        if not found or better is not None or suggestion.nearest is None:
            return ()
        return (f"None that is installed fits. {suggestion.advice()}",)


def _differences(card: ModelCard, sight: Sight) -> tuple[str, ...]:
    """In what images differ from those that a model was made for, as far as known."""
    colour = sight.colour or card.optics.colour
    optics = ImageOptics(sight.objective or card.optics.objective)
    return differences(card.optics, optics, colour)


class FitLabels(QStyledItemDelegate):
    """Says beside each model of an open list why it does not fit; what is chosen reads as its name alone."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Add the reason to the text, and make it faint."""
        super().initStyleOption(option, index)
        why = index.data(_WHY_NOT)
        if why:
            option.text = f"{option.text}   ({why})"
            option.font.setItalic(True)


def label_fits(box: QComboBox, installed: Sequence[InstalledModel], sight: Sight) -> None:
    """Say of each model in a list (its path is the item's data) whether it fits what is looked at."""
    cards = {model.path: model.card for model in installed}
    for place in range(box.count()):
        card = cards.get(box.itemData(place))
        why = "" if card is None else ", ".join(misfits(card, sight))
        box.setItemData(place, why.replace("it was ", "").replace("it ", ""), _WHY_NOT)
        box.setItemData(place, f"Does not fit: {why}" if why else None, Qt.ItemDataRole.ToolTipRole)
