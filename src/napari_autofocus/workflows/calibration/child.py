"""The process that a calibration is taught in beside a window: ``python -m …calibration_child FOLDER``.

It tells its progress on standard output, a line of JSON each, and stops when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.files import replacing
from napari_autofocus.workflows.calibration.record import Taught, taught_of

MODULE = "napari_autofocus.workflows.calibration.child"
TAUGHT = "taught.json"
_NICE = 10


def main() -> int:
    """Teach the calibration in the folder that the argument names."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints belongs with the errors
    stopped = threading.Event()
    threading.Thread(target=_listen, args=(stopped,), daemon=True).start()
    try:
        _teach(Path(sys.argv[1]), told, stopped)
    except AutofocusError as error:
        _tell(told, refused=str(error))
    return 0


def _listen(stopped: threading.Event) -> None:
    os.read(0, 1)
    stopped.set()


def _teach(folder: Path, told: IO[str], stopped: threading.Event) -> None:
    from napari_autofocus.models.extras import require_training

    require_training()
    from napari_autofocus.workflows.calibration.teaching import teach_here

    with contextlib.closing(teach_here(folder)) as steps:
        while not stopped.is_set():
            try:
                step = next(steps)
            except StopIteration as finished:
                _keep(finished.value, folder)
                _tell(told, taught=True)
                return
            _tell(told, done=step.done, total=step.total, words=step.words)


def _tell(told: IO[str], **words: Any) -> None:
    """When nobody hears it any more, the end of standard input says so too."""
    with contextlib.suppress(BrokenPipeError):
        told.write(json.dumps(words) + "\n")
        told.flush()


def _keep(taught: Taught, folder: Path) -> None:
    with replacing(folder / TAUGHT) as unfinished:
        unfinished.write_text(json.dumps(asdict(taught), allow_nan=False) + "\n", encoding="utf-8")


def read_taught(folder: Path) -> Taught:
    """What such a process left. Raises InputError if it cannot be read."""
    path = folder / TAUGHT
    try:
        return taught_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} cannot be read ({error}); go on with the calibration to teach once more.") from error


if __name__ == "__main__":
    sys.exit(main())
