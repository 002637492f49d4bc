"""What decides where a model of one shot is unsure: nothing more, or two shots with a model of two."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.models.library import InstalledModel, installed_models
from napari_autofocus.models.package import ModelCard
from napari_autofocus.models.pair_predictor import PairModelPredictor, load_pair_model
from napari_autofocus.widgets.parts.forms import Message, choice
from napari_autofocus.widgets.session import Session

_NONE = "one more shot farther apart"
_TIP = """What decides where the model is unsure or contradicts itself, before any sweep
Two shots: the drive goes apart by their distance and comes back; nothing comes closer for it"""


class FallbackChoice(QWidget):
    """Loads a model of two shots away from the GUI thread and tells it to the session.

    Parameters
    ----------
    session : Session
        Its ``focus`` is told the model, or None.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self.box = choice([(_NONE, None)], _TIP)
        self.message = Message(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.box)
        column.addWidget(self.message)
        self.box.activated.connect(self._on_chosen)
        session.analysis.call(lambda: list(installed_models()), done=self._on_listed, failed=self.message.fail)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)

    def _on_listed(self, found: list[InstalledModel]) -> None:
        for model in found:
            if isinstance(model.card, ModelCard) and model.card.kind == "two-shot":
                self.box.addItem(f"two shots with {model.name}", model.path)

    def _on_chosen(self, index: int) -> None:
        path = self.box.itemData(index)
        self.message.say("")
        self._session.focus.fallback = None
        if isinstance(path, Path):
            self.message.say(f"Opening {path.name}…")
            self._session.analysis.call(
                lambda: (path, load_pair_model(path)), done=self._on_opened, failed=self._on_failed
            )

    def _on_opened(self, opened: tuple[Path, PairModelPredictor]) -> None:
        path, model = opened
        if self.box.currentData() == path:
            self.message.say("")
            self._session.focus.fallback = model

    def _on_failed(self, error: object) -> None:
        self.box.setCurrentIndex(0)
        self.message.fail(error)
