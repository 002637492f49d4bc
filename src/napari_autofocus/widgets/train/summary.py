"""What a data set holds before anything is taught: looked at in a process of its own, beside the GUI."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import Message, connect_while_alive, label, snug
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.run import Following
from napari_autofocus.widgets.train.words import bar_of, dataset_words, left_out_words
from napari_autofocus.workflows.training.process import look_at
from napari_autofocus.workflows.training.request import TrainingRequest
from napari_autofocus.workflows.training.steps import DatasetSeen, TrainingEnd, Working

_MOST_REASONS = 20


class DatasetSummary(QWidget):
    """Looks at a data set and says how many stacks there are, who labelled them, and what is set aside and why.

    ``seen`` tells a :class:`DatasetSeen`.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    seen = Signal(object)

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._looking: Following | None = None
        self.message = Message(theme)
        self.progress = QProgressBar()
        self.progress.setToolTip("Reading the stacks, and measuring by Brenner those that nobody has labelled")
        self.reasons = label("", wrap=True)
        self.fold = Fold("", "Stacks that are not learned from, and why", self.reasons)
        self._arrange()
        connect_while_alive(self, [(session.closing, self.stop)])
        self.destroyed.connect(_Stopping(self))

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for part in (self.progress, self.message, self.fold):
            column.addWidget(part)
            part.hide()
        snug(self.message, self.reasons)
        self.reasons.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.reasons.setTextFormat(Qt.TextFormat.PlainText)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)

    @property
    def is_looking(self) -> bool:
        """Whether a data set is being looked at."""
        return self._looking is not None

    def look(self, request: TrainingRequest) -> None:
        """Look at the data set of this request, in place of any other."""
        self.stop()
        self.message.say("")
        self.fold.hide()
        self._show_bar(0, 0, "Starting")
        self.progress.show()
        looking = Following(
            look_at(request),
            step=lambda step: self._on_step(looking, step),
            done=lambda end: self._on_done(looking, end),
            failed=lambda error: self._on_failed(looking, error),
        )
        self._looking = looking

    def stop(self) -> None:
        """Look no further."""
        looking, self._looking = self._looking, None
        self.progress.hide()
        if looking is not None:
            looking.end()
            looking.leave()

    def _on_step(self, looking: Following, step: Working) -> None:
        if looking is self._looking and isinstance(step, Working):
            self._show_bar(*bar_of(step))

    def _on_done(self, looking: Following, end: TrainingEnd) -> None:
        if looking is self._looking and isinstance(end, DatasetSeen):
            self._finish()
            self.message.say(*dataset_words(end))
            self._list_reasons(end)
            self.seen.emit(end)

    def _on_failed(self, looking: Following, error: object) -> None:
        if looking is self._looking:
            self._finish()
            self.message.fail(error)

    def _finish(self) -> None:
        self._looking = None
        self.progress.hide()

    def _show_bar(self, value: int, most: int, text: str) -> None:
        self.progress.setRange(0, most)
        self.progress.setValue(value)
        self.progress.setFormat(text)

    def _list_reasons(self, seen: DatasetSeen) -> None:
        shown = list(seen.left_out[:_MOST_REASONS])
        if len(seen.left_out) > len(shown):
            shown.append(f"… and {len(seen.left_out) - len(shown)} more.")
        self.reasons.setText("\n".join(shown))
        self.fold.set_title(left_out_words(seen))
        self.fold.setVisible(bool(shown))


class _Stopping:
    """Stops what a panel that is gone had begun."""

    def __init__(self, summary: DatasetSummary) -> None:
        self._of = vars(summary)

    def __call__(self, *_: object) -> None:
        looking = self._of.get("_looking")
        if looking is not None:
            looking.end()
