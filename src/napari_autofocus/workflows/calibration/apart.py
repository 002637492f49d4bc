"""Teach the model of a calibration in a process of its own, so that a window and a live microscope are not slowed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

from napari_autofocus.errors import InputError
from napari_autofocus.workflows.calibration.child import MODULE, read_taught
from napari_autofocus.workflows.calibration.record import Taught
from napari_autofocus.workflows.calibration.steps import CalibrationStep

_PATIENCE_S = 60.0
_LAST_WORDS = 300


def teach_apart(folder: Path) -> Generator[CalibrationStep, None, Taught]:
    """Teach in another process; see :class:`~napari_autofocus.workflows.calibration.teaching.Teaching`.

    Closing the generator pauses it: it ends with its
    next step and keeps a checkpoint. It also ends when the program that started it does, in whatever way.

    Raises
    ------
    InputError
        If nothing can be taught, in the sentence of the other process; or if that ended before its time.
    """
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-m", MODULE, str(folder)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, encoding="utf-8")
        assert process.stdin is not None
        assert process.stdout is not None
        done = False
        try:
            for line in process.stdout:
                told: dict[str, Any] = json.loads(line)
                if "refused" in told:
                    raise InputError(told["refused"])
                done = "taught" in told
                if not done:
                    yield CalibrationStep("teach", told["done"], told["total"], told["words"])
        finally:
            _end(process)
        if not done:
            raise InputError(_why(errors))
    return read_taught(folder)


def _end(process: subprocess.Popen[str]) -> None:
    """Let it pause; a process that hangs is ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _why(errors: IO[bytes]) -> str:
    errors.seek(0)
    words = " ".join(errors.read().decode(errors="replace").split())[-_LAST_WORDS:]
    return f"The process that taught the model ended before its time ({words or 'without a word'}); go on to try again."
