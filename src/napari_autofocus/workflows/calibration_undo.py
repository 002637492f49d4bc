"""Put a calibrated model in its place, and put it away again: what stood there before comes back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.models.package import open_package
from napari_autofocus.workflows.calibration.record import MODEL, RECORD, CalibrationRecord, Installed, read_record

FORMER = "former.zip"
"""The model that stood in the place before, in the folder of a calibration."""


def install(record: CalibrationRecord, folder: Path, target: Path) -> CalibrationRecord:
    """Copy the model of a calibration to its place; a file that stood there is kept in the folder.

    Parameters
    ----------
    record : CalibrationRecord
        Of the calibration; it is not written.
    folder : Path
        Of the calibration.
    target : Path
        The place, a zip.

    Returns
    -------
    CalibrationRecord
        The record, which now says where the model is.

    Raises
    ------
    InputError
        If a file cannot be read or written; the target is then as it was.
    """
    former = folder / FORMER
    if target.is_file() and not _is_ours(target, record):
        _copy(target, former)
    _copy(folder / MODEL, target)
    return replace(record, installed=Installed(str(target), str(former) if former.is_file() else None), undone=False)


def undo_calibration(folder: Path) -> CalibrationRecord:
    """Take a calibrated model out of its place again; what stood there before comes back. The folder keeps both.

    Returns
    -------
    CalibrationRecord
        As it was before the undoing: ``installed`` says what was taken away and what came back.

    Raises
    ------
    InputError
        If there is nothing to undo, or another model has taken the place since; nothing is then changed.
    """
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder} holds no calibration ({RECORD} is missing); name the folder of one.")
    if record.installed is None:
        done = "was undone already" if record.undone else "was never put in place"
        raise InputError(f"The model of {folder} {done}; there is nothing to undo.")
    target = Path(record.installed.target)
    if target.is_file() and not _is_ours(target, record):
        raise InputError(f"{target} holds another model by now; nothing was undone, so as not to lose it.")
    if record.installed.former is not None:
        _copy(Path(record.installed.former), target)
    else:
        _remove(target)
    replace(record, installed=None, undone=True).write(folder)
    return record


def install_again(folder: Path, target: Path) -> CalibrationRecord:
    """Put the model of a finished calibration in its place after all, or once more.

    Raises
    ------
    InputError
        If the calibration is not finished, its model is not to be trusted, or a file cannot be written.
    """
    record = read_record(folder)
    if record is None or record.verdict is None:
        raise InputError(f"{folder} holds no finished calibration; let it come to its end first.")
    if record.verdict.trust == "no":
        raise InputError(f"The model of {folder} is not to be trusted and is not put in use; calibrate anew.")
    record = install(record, folder, target)
    record.write(folder)
    return record


def _is_ours(path: Path, record: CalibrationRecord) -> bool:
    """Whether a file holds the calibrated model."""
    try:
        return record.taught is not None and open_package(path).fingerprint == record.taught.fingerprint
    except InputError:
        return False


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as unfinished:
        shutil.copyfile(source, unfinished)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be deleted ({error.strerror}); delete it by hand.") from error
