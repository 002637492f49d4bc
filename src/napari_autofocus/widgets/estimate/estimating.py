"""Estimates beside the live camera, or of the plane that a layer shows: the newest only, in a thread of their own."""

from __future__ import annotations

import time
from collections import deque
from functools import cache
from typing import Literal

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.estimate import FocusPredictor
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.widgets.estimate.newest import NewestOnly
from napari_autofocus.widgets.estimate.seeing import FrameSeen, PairQuestion, Plane, Question, index_shown, objective_of
from napari_autofocus.widgets.estimate.sight import look_at
from napari_autofocus.widgets.focus_state import Estimated
from napari_autofocus.widgets.session import Session

Source = Literal["camera"] | Image | None

_SETTLE_MS = 15  # one step of a slider is told several times over
_HOLD_MS = 200
_RATE_OVER_S = 2.0


class LiveEstimator(QObject):
    """Keeps the newest estimate of a session up to date with what the user looks at.

    It rests while a routine runs, which shows and reads frames of its own. Nothing runs between two images.

    Parameters
    ----------
    session : Session
        Whose camera, layers and ``focus``; the estimator closes with it.
    """

    source_changed = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._state = session.focus
        self._source: Source = None
        self._enabled = True
        self._frame: Frame | None = None
        self._asked_at: tuple[int, ...] | None = None
        self._refusal = ""
        self._held: Estimated | None = None
        self._use(self._state.model)
        self._told_s: deque[float] = deque(maxlen=64)
        self._thread = NewestOnly("napari-autofocus estimates", self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SETTLE_MS)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_HOLD_MS)
        self._of_layer: list[tuple[object, object]] = []
        self._connect()

    def _connect(self) -> None:
        viewer, session = self._session.viewer, self._session
        self._thread.answered.connect(self._on_answered)
        self._thread.refused.connect(self._on_refused)
        self._soon.timeout.connect(self._on_settled)
        self._late.timeout.connect(self._tell_held)
        session.view.shown.connect(self._on_frame)
        self._pairs = [
            (viewer.dims.events.point, self._on_slider),
            (viewer.layers.events.removed, self._on_layer_removed),
            (session.running_changed, self._on_running_changed),
            (session.connection_changed, self._on_connection_changed),
            (session.closing, self.close),
            (self._state.model_changed, self._on_model_changed),
            (self._state.settings_changed, self._on_settings_changed),
        ]
        for signal, slot in self._pairs:
            signal.connect(slot)

    @property
    def source(self) -> Source:
        """``camera``, the layer that is looked at, or None."""
        return self._source

    @property
    def enabled(self) -> bool:
        """Whether new images are estimated by themselves."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._enabled = enabled
        self._forget()
        self._soon.stop()
        self._told_s.clear()
        self._again()

    @property
    def rate_hz(self) -> float:
        """Estimates a second, over the last two; 0 where nothing comes."""
        since_s = time.monotonic() - _RATE_OVER_S
        recent = [at_s for at_s in self._told_s if at_s >= since_s]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0

    def set_source(self, source: Source) -> None:
        """Look at the camera, at a layer or at nothing; what was known of another image is forgotten."""
        if source is self._source:
            return
        self._let_go()
        self._source = source
        look_at(self._state, source)
        if isinstance(source, Image):
            events = source.events
            changes = (events.data, events.scale, events.translate, events.units)
            self._of_layer = [(event, self._on_layer_changed) for event in changes]
            for event, slot in self._of_layer:
                event.connect(slot)
        self._state.clear()
        self.source_changed.emit(source)
        self._again()

    def estimate_now(self) -> None:
        """Estimate the image that is shown, also while not enabled; not while a routine runs."""
        what = self._what()
        if what is None or self._state.chosen is None or self._session.is_running:
            return
        if self._state.pair is not None:
            self._estimate_pair(what)
            return
        stated = objective_of(self._source) if isinstance(self._source, Image) else None
        self._asked_at = what.index if isinstance(what, Plane) else None
        model = self._sparing if self._is_live else self._model
        self._thread.ask(Question.of(what, model, self._state, stated).answer)

    def _estimate_pair(self, what: Plane | FrameSeen) -> None:
        """Two planes that lie there already; two shots of the camera need a move, which is asked for elsewhere."""
        source, pair = self._source, self._state.pair
        if not isinstance(source, Image) or not isinstance(what, Plane) or pair is None:
            return
        self._asked_at = what.index
        try:
            question = PairQuestion.of(self._session.viewer, source, pair, self._state)
        except InputError as error:
            self._forget()
            self._on_refused(error)
            return
        self._thread.ask(question.answer)

    def close(self) -> None:
        """Listen no more, and wait for the thread."""
        if not self._pairs:
            return
        self._let_go()
        self._session.view.shown.disconnect(self._on_frame)
        for signal, slot in self._pairs:
            signal.disconnect(slot)
        self._pairs = []
        self._source = None
        self._thread.close()

    @property
    def _is_live(self) -> bool:
        return self._source == "camera" and self._session.view.running

    def _use(self, model: FocusPredictor | None) -> None:
        """A model as it is, and as it is best used beside a live image; that one is made in the thread that asks."""
        self._model = lambda: model
        self._sparing = cache(lambda: model.sparing() if isinstance(model, ModelPredictor) else model)

    def _what(self) -> Plane | FrameSeen | None:
        if isinstance(self._source, Image):
            return Plane.shown(self._session.viewer, self._source)
        return FrameSeen(self._frame) if self._source == "camera" and self._frame is not None else None

    def _again(self) -> None:
        if self._enabled:
            self.estimate_now()

    def _forget(self) -> None:
        """What was asked until now is of no interest any more."""
        self._thread.forget()
        self._late.stop()
        self._held = None

    def _let_go(self) -> None:
        """Forget the image looked at until now."""
        for event, slot in self._of_layer:
            event.disconnect(slot)
        self._of_layer = []
        self._soon.stop()
        self._forget()
        self._told_s.clear()
        self._asked_at, self._refusal = None, ""

    # what happens to images

    def _on_frame(self, frame: Frame) -> None:
        # What a routine shows, the panel tells of itself.
        self._frame = frame
        if self._source == "camera":
            self._tell_held()
            self._again()

    def _on_slider(self) -> None:
        if isinstance(self._source, Image) and self._enabled:
            self._soon.start()

    def _on_layer_changed(self) -> None:
        self._asked_at = None
        self._on_slider()

    def _on_settled(self) -> None:
        if isinstance(self._source, Image) and index_shown(self._session.viewer, self._source) != self._asked_at:
            self._again()

    def _on_layer_removed(self) -> None:
        if isinstance(self._source, Image) and self._source not in self._session.viewer.layers:
            self.set_source(None)

    def _on_connection_changed(self, _: object) -> None:
        """Frames of another microscope say nothing of this one."""
        self._frame = None
        if self._source == "camera":
            self._forget()
            self._state.clear()

    def _on_running_changed(self, running: bool) -> None:
        self._forget()
        if not running and isinstance(self._source, Image):
            self._again()

    def _on_model_changed(self, _: object) -> None:
        self._use(self._state.model)
        self._on_settings_changed()

    def _on_settings_changed(self) -> None:
        self._forget()
        self._refusal = ""
        if self._state.chosen is None or not self._enabled:
            self._state.clear()
        self._again()

    # what becomes of them

    def _on_answered(self, estimated: Estimated) -> None:
        """In live mode it is told with the next frame: the window is drawn once for both."""
        self._held = estimated
        if self._is_live:
            self._late.start()
        else:
            self._tell_held()

    def _tell_held(self) -> None:
        self._late.stop()
        held, self._held = self._held, None
        if held is not None:
            self._refusal = ""
            self._told_s.append(time.monotonic())
            self._state.tell(held)

    def _on_refused(self, error: AutofocusError) -> None:
        """The same refusal of every frame is told once."""
        if str(error) != self._refusal:
            self._refusal = str(error)
            self._state.tell_refused(error)
