"""Which model estimates: shipped, installed or from a file, and what it was made for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError
from napari_autofocus.models.library import InstalledModel, installed_models
from napari_autofocus.models.package import ModelCard
from napari_autofocus.models.pair_predictor import PairModelPredictor, load_focus_model
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.widgets.estimate.model_fit import FitLabels, ModelFit, label_fits
from napari_autofocus.widgets.estimate.readings import broken_sentence, card_details, card_sentence
from napari_autofocus.widgets.parts.forms import NAME_PX, Message, button, choice, connect_while_alive, label, row, snug
from napari_autofocus.widgets.session import Session

SUFFIX = ".zip"


@dataclass(frozen=True, eq=False)
class _Opened:
    """A model that was opened from a file, or why it was not."""

    path: Path
    model: ModelPredictor | PairModelPredictor | None
    fault: str = ""


class ModelChoice(QWidget):
    """Loads models away from the GUI thread; a file that is broken leaves the model that was used before.

    Parameters
    ----------
    session : Session
        What the panels share; its ``focus`` is told the model.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self._state = session.focus
        self._installed: list[InstalledModel] = []
        self._by_user = False
        self._wanted: Path | None = None
        self._used: Path | None = None
        self._build(theme)
        self._arrange()
        self._connect()
        self._show_model(self._state.chosen)
        session.analysis.call(lambda: list(installed_models()), done=self._on_listed, failed=self.message.fail)

    # layout

    def _build(self, theme: str) -> None:
        self.box = choice(
            [], "Model that tells the defocus, from one shot or two; drop a model file (.zip) anywhere on this panel"
        )
        self.open_button = button("Open…", "Use a model from a file (.zip)")
        self.details_button = button("Card", "All that is known about the model: optics, range, measured accuracy")
        self.card_line = label("", wrap=True)
        self.message = Message(theme)
        self.fit = ModelFit(self._session, theme)
        self.optics_line, self.insist_box = self.fit.line, self.fit.insist_box
        self.box.view().setItemDelegate(FitLabels(self.box))

    def _arrange(self) -> None:
        snug(self.card_line, self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        name = label("Model")
        name.setFixedWidth(NAME_PX)
        column.addLayout(row(name, self.box, self.open_button, self.details_button))
        column.itemAt(0).layout().setStretch(1, 1)
        for part in (self.card_line, self.message, self.fit):
            column.addWidget(part)
        self.card_line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def _connect(self) -> None:
        self.box.activated.connect(self._on_chosen)
        self.open_button.clicked.connect(self._on_open_clicked)
        self.details_button.clicked.connect(self._on_details_clicked)
        self.fit.wanted.connect(self.use_file)
        state = self._state
        connect_while_alive(
            self,
            [
                (state.model_changed, self._show_model),
                (state.settings_changed, self._use_default),
                (state.sight_changed, self._use_default),
            ],
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.message, self.fit):
            part.set_theme(theme)

    # which model

    @property
    def is_loading(self) -> bool:
        """Whether a model is being opened."""
        return self._wanted is not None

    def use_file(self, path: Path) -> None:
        """Load a model and use it; what is wrong with its file is told, and the model before stays."""
        self._by_user = True
        self._load(path)

    def _load(self, path: Path) -> None:
        self._wanted = path
        self.message.say(f"Opening {path.name}…")
        self._session.analysis.call(lambda: _open(path), done=self._on_opened)

    def _on_listed(self, found: list[InstalledModel]) -> None:
        self._installed = [model for model in found if isinstance(model.card, ModelCard)]
        for model in self._installed:
            self._list(model.name, model.path)
        self.fit.use_installed(self._installed)
        self.box.setToolTip("\n".join([self.box.toolTip(), *(broken_sentence(m) for m in found if m.card is None)]))
        self._show_model(self._state.chosen)
        self._use_default()

    def _use_default(self, *_: object) -> None:
        """The first shipped model that fits what is looked at, as long as the user has not chosen one."""
        if self._session.is_closed:
            return
        label_fits(self.box, self._installed, self._state.sight)
        if self._by_user or not self._installed:
            return
        suggestion = self.fit.suggestion()
        wished = (self._usual() or suggestion.model or suggestion.nearest or self._installed[0]).path
        if wished not in (self._used, self._wanted) and (self._used is not None or self._state.chosen is None):
            self._load(wished)

    def _usual(self) -> InstalledModel | None:
        """The model that the user has set in the preferences, where it is installed."""
        name = self._session.preferences.model.strip()
        return next((model for model in self._installed if model.name == name), None)

    def _on_chosen(self, index: int) -> None:
        path = self.box.itemData(index)
        if isinstance(path, Path) and path != self._used:
            self.use_file(path)

    def _on_opened(self, opened: _Opened) -> None:
        if opened.path != self._wanted:  # the user has meanwhile asked for another
            return
        self._wanted = None
        if opened.model is None:
            self.message.fail(opened.fault)
            self._show_model(self._state.chosen)
            return
        self._used = opened.path
        self.message.say("")
        self._list(opened.model.name, opened.path)
        self._state.use_model(opened.model)

    def _on_open_clicked(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a model", "", f"Models (*{SUFFIX})")
        if name:
            self.use_file(Path(name))

    # what is said of it

    def _show_model(self, model: ModelPredictor | PairModelPredictor | None) -> None:
        self._adopt(model)
        self.details_button.setEnabled(model is not None)
        self.box.setCurrentIndex(self._place(self._used))
        self.card_line.setText("" if model is None else card_sentence(model.card))
        self.card_line.setToolTip(self._details())
        self.fit.show_used(self._used)

    def _adopt(self, model: ModelPredictor | PairModelPredictor | None) -> None:
        """A model that another panel put to use stays until the user chooses again; one on its way comes too late."""
        package = getattr(model, "package", None)
        path = None if package is None else package.path
        if model is None or (path is not None and path == self._used):
            return
        if self._wanted is not None:
            self._wanted = None
            self.message.say("")
        self._used, self._by_user = path, True
        if package is not None:
            self._list(package.card.name, package.path)

    def _list(self, name: str, path: Path) -> None:
        if self._place(path) < 0:
            self.box.addItem(name, path)

    def _place(self, path: Path | None) -> int:
        """Where a file stands in the list, -1 if nowhere; Qt's own search compares objects, not paths."""
        return next((place for place in range(self.box.count()) if self.box.itemData(place) == path), -1)

    def _details(self) -> str:
        model = self._state.chosen
        if model is None:
            return ""
        size = self._used.stat().st_size if self._used is not None and self._used.is_file() else None
        return card_details(model.card, model.fingerprint, size)

    def _on_details_clicked(self) -> None:
        """A box of its own that does not hold up what runs."""
        model = self._state.chosen
        if model is not None:
            box = QMessageBox(self.window())
            box.setWindowTitle(f"Model {model.name}")
            box.setText(self._details())
            box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            box.open()


def _open(path: Path) -> _Opened:
    """Runs beside the GUI; a listener that knew the path by itself would outlive a panel that is closed meanwhile."""
    try:
        return _Opened(path, load_focus_model(path))
    except AutofocusError as error:
        return _Opened(path, None, str(error))
