"""An acquisition engine that focuses by our routines, around the engine that a core already has.

It wraps that engine rather than replacing it: what a user's own engine does for channels, cameras and hardware triggers
goes on working. Moves of the focus drive and of the slide are ours, so that they keep inside the limits and always
arrive from the same side. Only the public protocol of engines is used (``setup_event``, ``exec_event`` ...), no private
part of pymmcore-plus.

A hardware-triggered stack is loaded before anyone knows where focus is; here its heights are corrected when it is set
up, which is after the autofocus before it, and places or channels with heights of their own are not put in one stack.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import groupby
from typing import Any

from pymmcore_plus.core import SequencedEvent
from pymmcore_plus.mda import SkipEvent
from useq import MDAEvent, MDASequence

from napari_autofocus.errors import AutofocusError, HardwareError, MoveRefused
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.running.owning import owned
from napari_autofocus.workflows.mda.attempt import FocusAttempt
from napari_autofocus.workflows.mda.checks import MdaMicroscope, check_sequence
from napari_autofocus.workflows.mda.config import MapHeight, MdaFocusConfig
from napari_autofocus.workflows.mda.finders import MdaFinder
from napari_autofocus.workflows.mda.light import no_shutter_expected
from napari_autofocus.workflows.mda.record import FocusEvent, MdaEnd, MdaFocusRecord
from napari_autofocus.workflows.mda.run import MdaRun, Target
from napari_autofocus.workflows.mda.saving import MdaFolder
from napari_autofocus.workflows.mda.sequences import (
    afresh,
    has_autofocus,
    is_autofocus,
    is_frame,
    place_of,
    with_autofocus,
)
from napari_autofocus.workflows.mda.stages import go_to_height, go_to_place, without_stages, without_still_stages
from napari_autofocus.workflows.mda.telling import frame_facts

KEY = "autofocus"
"""Where a frame's metadata tells of its focus."""
_OUTCOMES: dict[str, MdaEnd] = {"completed": "done", "canceled": "cancelled", "errored": "failed"}


class FocusEngine:
    """Runs acquisitions with autofocus. Fulfils pymmcore-plus's ``PMDAEngine``.

    Parameters
    ----------
    inner : PMDAEngine
        The engine that the core has.
    microscope : CoreMicroscope
        Of the same core; keeps moves inside their limits.
    finder : MdaFinder
        What focuses a field.
    config : MdaFocusConfig
        When, in which light, and what happens where it fails.
    height : callable, optional
        Focus map; needed for the policy ``map``.
    folder : MdaFolder, optional
        Takes the frames.
    keep : callable, optional
        Told the record of every run, however it ends.
    on_start : callable, optional
        Called before anything of a run is looked at; an InputError that it raises ends the run.
    on_focus : callable, optional
        Told of every attempt to focus, in the thread of the acquisition.
    """

    def __init__(
        self,
        inner: Any,
        microscope: MdaMicroscope,
        finder: MdaFinder,
        config: MdaFocusConfig,
        *,
        height: MapHeight | None = None,
        folder: MdaFolder | None = None,
        keep: Callable[[MdaFocusRecord], None] | None = None,
        on_start: Callable[[], None] | None = None,
        on_focus: Callable[[FocusEvent], None] | None = None,
    ) -> None:
        self.inner = inner
        self._microscope = microscope
        self._finder = finder
        self._config = config
        self._height = height
        self._folder = folder
        self._keep = keep
        self._on_start = on_start
        self._on_focus = on_focus
        self._run = self._new_run()
        self._ready: tuple[MDAEvent | None, MDAEvent | None] = (None, None)
        self._targets: dict[frozenset[Any], Target] = {}
        self._is_open = False
        self._owning = contextlib.ExitStack()

    def __getattr__(self, name: str) -> Any:
        """What other programs ask an engine for is the inner one's to answer."""
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def record(self) -> MdaFocusRecord:
        """The run as it stands, or as it ended."""
        return self._run.record(self._outcome(), self._microscope.clock.now_s())

    # the protocol of engines

    def setup_sequence(self, sequence: MDASequence) -> Any:
        """Begin: everything that can be refused is refused here, before anything moves."""
        self._run, self._is_open = self._new_run(), True
        self._owning.close()  # of a run that died without a teardown
        with _noting(self._run):
            self._owning.enter_context(owned(self._microscope, "an acquisition with autofocus (MDA)"))
            if self._on_start is not None:
                self._on_start()
            check_sequence(sequence, self._microscope, self._config, self._finder, has_map=self._height is not None)
            self._run.start_um = self._microscope.focus.position_um()
            self._owning.enter_context(no_shutter_expected(self._microscope.core))
            return self.inner.setup_sequence(sequence)

    def event_iterator(self, events: Iterable[MDAEvent]) -> Iterator[MDAEvent]:
        """The events, with an autofocus where the configuration asks for one, merged by the inner engine."""
        if isinstance(events, MDASequence) and has_autofocus(events):
            events = afresh(events)
        elif self._config.axes:
            events = with_autofocus(events, self._config.axes)
        merge = getattr(self.inner, "event_iterator", iter)
        for _, group in groupby(events, key=self._apart):
            yield from merge(group)

    def setup_event(self, event: MDAEvent) -> None:
        """Bring slide, light and drive to where an event is to be taken; raises SkipEvent where it is left out."""
        with _noting(self._run):
            if is_autofocus(event):
                self._set_up_autofocus(event)
            elif is_frame(event):
                self._set_up_frame(event)
            else:
                self.inner.setup_event(event)

    def exec_event(self, event: MDAEvent) -> Iterable[Any]:
        """Focus, or acquire; every frame's metadata tells of its focus."""
        if not is_autofocus(event):
            return self._acquire(event)
        with _noting(self._run):
            self._focus(event)
        return ()

    def teardown_event(self, event: MDAEvent) -> None:
        """After each event, left out or not."""
        asked, given = self._ready
        self._ready = (None, None)
        getattr(self.inner, "teardown_event", _nothing)(given if asked is event and given is not None else event)

    def teardown_sequence(self, sequence: MDASequence) -> None:
        """The end; the record is told however it came."""
        try:
            getattr(self.inner, "teardown_sequence", _nothing)(sequence)
        finally:
            self._owning.close()
            record, was_open, self._is_open = self.record, self._is_open, False
            if was_open:
                self._tell(record)

    # one event

    def _set_up_autofocus(self, event: MDAEvent) -> None:
        if self._run.stop_reason or not self._run.is_due(event):
            raise SkipEvent(0, "no autofocus is due")
        self.inner.setup_event(without_stages(event))
        try:
            go_to_place(self._microscope, event)
        except (HardwareError, MoveRefused) as error:
            self._settle(event, FocusAttempt(self._microscope, self._finder, self._config).not_there(error))
            raise SkipEvent(0, str(error)) from error

    def _set_up_frame(self, event: MDAEvent) -> None:
        if reason := self._run.skip_reason(event):
            self._leave_out(event, reason)
        self._targets.clear()
        given = self._corrected(event)
        try:
            go_to_place(self._microscope, event)
            if isinstance(given, SequencedEvent):
                go_to_height(self._microscope, given)
                self.inner.setup_event(without_still_stages(given))
            else:
                self.inner.setup_event(without_stages(given))
                go_to_height(self._microscope, given)
        except (HardwareError, MoveRefused) as error:
            self._leave_out(event, f"The microscope did not get there: {error}")
        self._ready = (event, given)

    def _focus(self, event: MDAEvent) -> None:
        """Run the routine here, and do what the policy says where it finds nothing."""
        attempt = FocusAttempt(self._microscope, self._finder, self._config)
        attempt.run(self._run.expected_um(event), self._is_cancelled)
        self._settle(event, attempt)

    def _settle(self, event: MDAEvent, attempt: FocusAttempt) -> None:
        told = attempt.told(event, self._run, self._height is not None)
        self._run.note(event, told)
        if told.policy == "stop":
            self._run.stop_reason = f"Stopped, as the policy says: {told.reason}"
            self._microscope.core.mda.cancel()
        if self._on_focus is not None:
            self._on_focus(told)

    def _acquire(self, event: MDAEvent) -> Generator[Any, Any, None]:
        """The inner engine's frames, marked and kept; what the runner says to it is passed on."""
        asked, given = self._ready
        frames = iter(self.inner.exec_event(given if asked is event and given is not None else event) or ())
        signal: Any = None
        with _noting(self._run), contextlib.ExitStack() as stack:
            if isinstance(frames, Generator):
                stack.callback(frames.close)
            while True:
                try:
                    payload = frames.send(signal) if isinstance(frames, Generator) else next(frames)
                except StopIteration:
                    return
                signal = yield self._marked(payload)

    def _marked(self, payload: Any) -> Any:
        """A frame with what is known of its focus."""
        if payload is None or (isinstance(payload, tuple) and payload[0] is None):
            return payload
        image, event, metadata = payload
        target = self._targets.get(_key(event)) or self._run.target(event)
        z_um = (metadata.get("position") or {}).get("z", event.z_pos)
        metadata[KEY] = {"z_um": z_um, **self._run.told_of(event, target)}
        if self._folder is not None:
            self._folder.add(image, event.index, frame_facts(event, metadata, self._microscope))
        self._run.frames += 1  # told as acquired only once it is on the disk
        if target.beside_um == 0:
            self._look(image, event)
        return payload

    def _look(self, image: Any, event: MDAEvent) -> None:
        """Where focusing is done when needed: what a frame in the focus of its place says."""
        if self._config.when != "needed" or self._finder.look is None:
            return
        if self._config.channel is not None and (
            event.channel is None or event.channel.config != self._config.channel.preset
        ):
            return
        core = self._microscope.core
        frame = Frame(image, event.z_pos or 0.0, math.nan, math.nan, 0.0, 0.0, float(core.getPixelSizeUm()) or None)
        estimate = self._finder.look(frame)
        self._run.looked(event, estimate.defocus_um if estimate.trusted else None)

    # where it goes

    def _corrected(self, event: MDAEvent) -> MDAEvent:
        """The event around the focus that was found."""
        if not isinstance(event, SequencedEvent):
            target = self._targets[_key(event)] = self._run.target(event)
            return event if target.z_um is None else event.model_copy(update={"z_pos": target.z_um})
        events = tuple(self._corrected(each) for each in event.events)
        heights = tuple(each.z_pos for each in events)
        changes: dict[str, Any] = {"events": events, "z_pos": heights[0]}
        if event.z_sequence:
            changes["z_sequence"] = heights
        return event.model_copy(update=changes)

    def _leave_out(self, event: MDAEvent, reason: str) -> None:
        frames = len(event.events) if isinstance(event, SequencedEvent) else 1
        first = event.events[0] if isinstance(event, SequencedEvent) else event
        self._run.leave_out(first.index, frames, reason)
        raise SkipEvent(frames, reason)

    def _apart(self, event: MDAEvent) -> Any:
        """What must not be merged into one triggered stack: events whose correction may differ."""
        offset_um = self._config.offsets_um.get(event.channel.config, 0.0) if event.channel is not None else 0.0
        return place_of(event), offset_um, is_autofocus(event)

    # how it goes

    def _new_run(self) -> MdaRun:
        return MdaRun(self._config, self._finder.name, 0.0, self._microscope.clock.now_s(), height=self._height)

    def _is_cancelled(self) -> bool:
        status = self._microscope.core.mda.status
        return bool(status.cancel_requested) or status.phase.value == "finishing"

    def _outcome(self) -> MdaEnd:
        if self._run.stop_reason:
            return "stopped"
        reason = self._microscope.core.mda.status.finish_reason
        return "cancelled" if reason is None else _OUTCOMES.get(reason.value, "failed")

    def _tell(self, record: MdaFocusRecord) -> None:
        try:
            if self._folder is not None:
                self._folder.finish(record)
        finally:
            if self._keep is not None:
                self._keep(record)


class _noting:
    """Remembers what ended a run, since whoever runs it in a thread does not tell."""

    def __init__(self, run: MdaRun) -> None:
        self._run = run

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, SkipEvent):
            named = str(error) if isinstance(error, AutofocusError) else f"{type(error).__name__}: {error}"
            self._run.reasons.append(named)


def _key(event: MDAEvent) -> frozenset[Any]:
    """A frame by its index; several cameras take it at one z."""
    return frozenset((str(axis), number) for axis, number in event.index.items() if axis != "cam")


def _nothing(_: Any) -> None:
    pass
