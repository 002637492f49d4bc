"""The process that a training runs in beside a window: ``python -m napari_autofocus.workflows.training.child``.

Its arguments say what to do (``look`` or ``train``, and a request as JSON). It tells records on standard output, one a
line, and stops when it reads anything on standard input or that is closed: it outlives whoever started it by one step
at most.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.io import find_stacks
from napari_autofocus.models.extras import require_training
from napari_autofocus.workflows.training.request import TrainingFolder, TrainingRequest
from napari_autofocus.workflows.training.steps import (
    Learning,
    Paused,
    Pausing,
    Refused,
    TrainingEnd,
    TrainingStep,
    Working,
    line_of,
)

if TYPE_CHECKING:
    from napari_autofocus.workflows.own_models import OwnMade

LOOK, TRAIN = "look", "train"
_NICE = 10
_LEAST_GAP_S = 0.1
_POINTS_EVERY_S = 10.0
"""Of the learning curve that is kept, besides the validations."""
_Telling = Generator[TrainingStep | None, None, TrainingEnd]


class Line:
    """The connection to whoever started this process."""

    def __init__(self) -> None:
        # Whatever a library prints belongs with the errors.
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._told_s = 0.0
        self.stop = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, record: TrainingStep | TrainingEnd) -> None:
        """Tell a record; when nobody hears it any more, stop."""
        with self._lock:
            try:
                self._out.write(line_of(record) + "\n")
                self._out.flush()
            except (BrokenPipeError, ValueError):
                self.stop.set()

    def tell_now_and_then(self, record: TrainingStep) -> None:
        """Tell a record, unless it is one of very many."""
        often = isinstance(record, Working) and record.answer is None and record.done != record.total
        now_s = time.monotonic()
        if not often or now_s - self._told_s >= _LEAST_GAP_S:
            self._told_s = now_s
            self.tell(record)

    def _listen(self) -> None:
        os.read(0, 1)
        self.stop.set()
        self.tell(Pausing())


def main() -> int:
    """Do what the arguments say; the last line told is how it ended."""
    _give_way()
    line = Line()
    mode, request = sys.argv[1], TrainingRequest.from_json(json.loads(sys.argv[2]))
    work = look(request) if mode == LOOK else train(request)
    try:
        line.tell(_run(work, line))
    except AutofocusError as error:
        line.tell(Refused(str(error)))
    return 0


def _run(work: _Telling, line: Line) -> TrainingEnd:
    with closing(work):
        line.tell(Working("starting"))
        while not line.stop.is_set():
            try:
                step = next(work)
            except StopIteration as finished:
                end: TrainingEnd = finished.value
                return end
            if step is not None:
                line.tell_now_and_then(step)
    return Paused()


def look(request: TrainingRequest) -> _Telling:
    """Read a data set and tell what is in it, before anything is taught. Raises InputError."""
    _check(request)
    from napari_autofocus.models.labelled_stacks import read_dataset
    from napari_autofocus.workflows.training.told import reading_for, seen_in, settings_of, told

    reading = read_dataset(request.dataset, reading_for(settings_of(request)))
    while True:
        try:
            yield told(next(reading))
        except StopIteration as finished:
            return seen_in(request, finished.value)


def train(request: TrainingRequest) -> _Telling:
    """Make a model, in the folder of its training; the learning curve is kept there too. Raises InputError."""
    _check(request)
    from napari_autofocus.models.labelled_stacks import LabelledStack
    from napari_autofocus.workflows.own_models import train_own
    from napari_autofocus.workflows.training.told import made_of, optics_known, settings_of, told

    folder, next_point_s = TrainingFolder.of(request.target), 0.0
    with folder.claimed(request):
        teaching = train_own(request.dataset, request.target, settings_of(request), work=folder.work)
        with closing(teaching):
            while True:
                try:
                    step = next(teaching)
                except StopIteration as finished:
                    made: OwnMade = finished.value
                    break
                if isinstance(step, LabelledStack):
                    yield optics_known(step, request)
                    continue
                record = told(step)
                if isinstance(record, Learning) and (record.validated or time.monotonic() >= next_point_s):
                    next_point_s = time.monotonic() + _POINTS_EVERY_S
                    folder.keep(record)
                yield record
        report, notes = _write_report(made, request.target)
    try:
        folder.discard()
    except InputError as error:
        notes.append(str(error))
    return made_of(made, report, notes)


def _check(request: TrainingRequest) -> None:
    """Refuse at once what needs no torch to be refused."""
    require_training()
    find_stacks([request.dataset])


def _write_report(made: OwnMade, target: Path) -> tuple[Path | None, list[str]]:
    """The page of figures beside the model; that it cannot be written is no reason to lose the model."""
    from napari_autofocus.workflows.own.report import write_own_report

    try:
        return write_own_report(made, target.with_name(f"{target.stem}.report")), []
    except InputError as error:
        return None, [f"The report is missing: {error}"]


def _give_way() -> None:
    """A live microscope goes before a training."""
    if sys.platform != "win32":  # there whoever starts it says so
        os.nice(_NICE)


if __name__ == "__main__":
    raise SystemExit(main())
