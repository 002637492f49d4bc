"""Follow the map while the slide moves: switched on by the user only, and off by whatever ends it."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.routines.follow import FollowConfig, FollowRecord, FollowStep, follow
from napari_autofocus.slide.focus_map import FocusMap
from napari_autofocus.widgets.map.book import MapBook
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, label, number, row, snug
from napari_autofocus.widgets.parts.paced import CurrentJob, PacedJob
from napari_autofocus.widgets.session import Session

_START, _STOP = "Follow the map while I move", "Stop following"
_TIP = (
    "When the stage moves, by hand too, the focus drive goes to the map's z there plus the offset (µm), within its"
    " limits; focus turned by hand becomes the offset. Ends outside the map"
)
_NO_MAP = "Survey first, or import a map: there is nothing to follow."
_NO_MICROSCOPE = "Connect a microscope to follow the map."


class FollowSection(QWidget):
    """Lets the drive of the connected microscope follow the map; ``stepped`` tells each look (FollowStep).

    Parameters
    ----------
    session : Session
        What the panels share.
    book : MapBook
        Whose surface is followed.
    theme : str
        Id of the napari theme whose colours are used.
    """

    stepped = Signal(object)

    def __init__(self, session: Session, book: MapBook, theme: str) -> None:
        super().__init__()
        self._session, self._book = session, book
        self._current = CurrentJob()
        self._followed: FocusMap | None = None
        self.record: FollowRecord | None = None
        self._build(theme)
        self._arrange()
        self._connect()
        self.refresh()

    def _build(self, theme: str) -> None:
        self.follow_button = button(_START, _TIP, checkable=True)
        self.offset_box = number(0, -20, 20, 0.1, "µm", "Added to the map's z, µm of drive position", width_px=104)
        tip = "A place whose focus lies farther from the drive than this is not followed to, µm"
        self.step_box = number(25, 0.5, 1000, 5, "µm", tip, decimals=1, width_px=104)
        self.message = Message(theme)

    def _arrange(self) -> None:
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.follow_button)
        column.addLayout(row(label("Offset"), self.offset_box, 1, label("Largest step"), self.step_box))
        column.addWidget(self.message)

    def _connect(self) -> None:
        current, session = self._current, self._session
        self.follow_button.toggled.connect(self._on_toggled)
        current.kept.connect(self._on_record)
        self._book.fitted_changed.connect(self._on_map_changed)
        # Neither may outlive its panel, nor be a child of it: there is a generator to close.
        self.destroyed.connect(lambda *_: current.cancel())
        connect_while_alive(
            self, [(session.connection_changed, self.refresh), (session.running_changed, self._on_running_changed)]
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.message.set_theme(theme)

    @property
    def is_following(self) -> bool:
        """Whether the drive follows the map now."""
        return self._current.job is not None

    def stop(self) -> None:
        """End it; the drive stays where it is."""
        self._current.cancel()

    # what happens

    def _on_toggled(self, wanted: bool) -> None:
        if wanted:
            self._start()
        else:
            self.stop()
        self.refresh()

    def _start(self) -> None:
        microscope, found = self._session.microscope, self._book.map
        if microscope is None or found is None:
            return
        try:
            config = FollowConfig(offset_um=self.offset_box.value(), largest_step_um=self.step_box.value())
        except InputError as error:
            self.message.fail(error)
            return
        self._followed, self.record = found, None
        self.message.say("Following…")
        job = PacedJob(self._session, follow(microscope, found, config, keep=self._current.kept.emit))
        job.stepped.connect(self._on_step)
        job.failed.connect(self._on_failed)
        job.ended.connect(self._on_ended)
        self._current.job = job
        job.start()

    def _on_step(self, step: FollowStep) -> None:
        if step.state == "offset":
            with QSignalBlocker(self.offset_box):
                self.offset_box.setValue(step.offset_um)
        self.message.say(step.sentence, "warning" if step.state == "stopped" else "plain")
        self.stepped.emit(step)

    def _on_record(self, record: FollowRecord) -> None:
        """However it ended."""
        self.record = record
        if record.ended == "cancelled":
            self.message.say("Not following; the drive stays where it is.")
        else:
            self.message.say(record.reasons[-1], "error" if record.ended == "hardware" else "warning")

    def _on_failed(self, error: AutofocusError) -> None:
        self.message.fail(error)

    def _on_ended(self) -> None:
        self._current.job = None
        self.refresh()

    def _on_map_changed(self) -> None:
        """Another surface is another permission."""
        if self.is_following and self._book.map is not self._followed:
            self.stop()
        self.refresh()

    def _on_running_changed(self, running: bool) -> None:
        """A run moves the slide itself: the map is not followed through it."""
        if running:
            self.stop()
        self.refresh()

    def refresh(self, *_: object) -> None:
        """What is possible now."""
        following, session = self.is_following, self._session
        lacking = _NO_MICROSCOPE if session.connection is None else _NO_MAP if self._book.map is None else ""
        with QSignalBlocker(self.follow_button):
            self.follow_button.setChecked(following)
        self.follow_button.setText(_STOP if following else _START)
        self.follow_button.setEnabled(following or (not lacking and not session.is_running))
        if not following and (lacking or self.record is None):
            self.message.say(lacking)
        for part in (self.offset_box, self.step_box):
            part.setEnabled(not following)
