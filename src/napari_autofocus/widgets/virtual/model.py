"""Which model recovers images: shipped, installed or from a file; the optics of the shots stand below it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError
from napari_autofocus.models.library import InstalledModel, installed_models
from napari_autofocus.models.package import VirtualCard
from napari_autofocus.models.refocuser import VirtualRefocuser, load_refocuser
from napari_autofocus.widgets.estimate.readings import broken_sentence
from napari_autofocus.widgets.parts.forms import NAME_PX, Message, button, choice, connect_while_alive, label, row, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.optics import OpticsOfShots
from napari_autofocus.widgets.virtual.words import NO_MODEL, virtual_card_details, virtual_card_sentence


@dataclass(frozen=True, eq=False)
class _Opened:
    """A model that was opened from a file, or why it was not."""

    path: Path
    refocuser: VirtualRefocuser | None
    fault: str = ""


class VirtualModelChoice(QWidget):
    """Loads models away from the GUI thread; ``changed`` tells of another model, other optics, or of insisting.

    Parameters
    ----------
    session : Session
        What the panels share; its ``focus`` is told the objective.
    theme : str
        Id of the napari theme whose colours are used.
    """

    changed = Signal()

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self._wanted: Path | None = None
        self._used: Path | None = None
        self.refocuser: VirtualRefocuser | None = None
        self._build(theme)
        self._arrange()
        self._connect()
        self.message.say("Looking for models…")
        session.analysis.call(_installed, done=self._on_listed, failed=self.message.fail)

    def _build(self, theme: str) -> None:
        self.box = choice([], "Model that recovers the image in focus from two shots (kind: virtual)")
        self.open_button = button("Open…", "Use a model from a file (.zip)")
        self.card_line = label("", wrap=True)
        self.card_line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message = Message(theme)
        self.optics = OpticsOfShots(self._session.focus, theme)

    def _arrange(self) -> None:
        snug(self.card_line, self.message)
        title = label("Model")
        title.setFixedWidth(NAME_PX)
        named = row(title, self.box, self.open_button)
        named.setStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(named)
        for part in (self.card_line, self.message, self.optics):
            column.addWidget(part)

    def _connect(self) -> None:
        self.box.activated.connect(self._on_chosen)
        self.open_button.clicked.connect(self._on_open_clicked)
        self.optics.changed.connect(self.changed)
        connect_while_alive(self, [(self._session.refocuser_chosen, self.use_file)])

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.message, self.optics):
            part.set_theme(theme)

    # which model

    @property
    def card(self) -> VirtualCard | None:
        """Card of the model in use."""
        return None if self.refocuser is None else self.refocuser.card

    def use_file(self, path: Path) -> None:
        """Load a model and use it; what is wrong with its file is told, and the model before stays."""
        self._wanted = path
        self.message.say(f"Opening {path.name}…")
        self._session.analysis.call(lambda: _open(path), done=self._on_opened)

    def use(self, refocuser: VirtualRefocuser) -> None:
        """Recover with this model from now on."""
        self._wanted, self.refocuser, self._used = None, refocuser, refocuser.package.path
        self._list(refocuser.name, refocuser.package.path)
        self.message.say("")
        self._show_model()

    def _on_listed(self, found: list[InstalledModel]) -> None:
        usable = [model for model in found if isinstance(model.card, VirtualCard)]
        for model in usable:
            self._list(model.name, model.path)
        broken = [broken_sentence(model) for model in found if model.card is None]
        self.box.setToolTip("\n".join([self.box.toolTip(), *broken]))
        if self.refocuser is not None or self._wanted is not None or self._session.is_closed:
            return
        chosen = self._session.refocuser_file
        if chosen is not None and chosen.is_file():
            self.use_file(chosen)
        elif usable:
            self.use_file(usable[0].path)
        else:
            self.message.say(NO_MODEL, "warning")
            self._show_model()

    def _on_opened(self, opened: _Opened) -> None:
        if opened.path != self._wanted:  # the user has meanwhile asked for another
            return
        self._wanted = None
        if opened.refocuser is None:
            self.message.fail(opened.fault)
            self._show_model()
            return
        self.use(opened.refocuser)

    def _list(self, name: str, path: Path) -> None:
        if self._place(path) < 0:
            self.box.addItem(name, path)

    def _place(self, path: Path | None) -> int:
        return next((place for place in range(self.box.count()) if self.box.itemData(place) == path), -1)

    def _on_chosen(self, index: int) -> None:
        path = self.box.itemData(index)
        if isinstance(path, Path) and path != self._used:
            self.use_file(path)

    def _on_open_clicked(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a model", "", "Models (*.zip)")
        if name:
            self.use_file(Path(name))

    def _show_model(self) -> None:
        refocuser = self.refocuser
        self.box.setCurrentIndex(self._place(self._used))
        self.card_line.setVisible(refocuser is not None)
        if refocuser is not None:
            self.card_line.setText(virtual_card_sentence(refocuser.card))
            self.card_line.setToolTip(virtual_card_details(refocuser.card, refocuser.fingerprint))
        self.optics.compare_with(self.card)
        self.changed.emit()


def _installed() -> list[InstalledModel]:
    return list(installed_models())


def _open(path: Path) -> _Opened:
    """Runs beside the GUI."""
    try:
        return _Opened(path, load_refocuser(path))
    except AutofocusError as error:
        return _Opened(path, None, str(error))
