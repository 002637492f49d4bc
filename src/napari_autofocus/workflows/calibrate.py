"""Calibrate a model to one microscope: acquire stacks, label, teach, measure, prove live, and say whether to trust it.

Everything is kept in one folder, phase by phase, so that a calibration that was stopped or killed goes on where it was.
Stage and drive go home whatever happens. The model takes its place only if it is to be trusted, and can be put away.
"""

from __future__ import annotations

import datetime
import platform
from collections.abc import Generator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import SlideMicroscope
from napari_autofocus.models.labelled_stacks import LabelledDataset
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.routines.running.owning import owning
from napari_autofocus.workflows.calibration.acquiring import gather, places_of
from napari_autofocus.workflows.calibration.proof import ProofStep, prove
from napari_autofocus.workflows.calibration.record import MODEL, RECORD, STACKS, CalibrationRecord, read_record
from napari_autofocus.workflows.calibration.report import write_report
from napari_autofocus.workflows.calibration.stand import Home, fenced, going_home
from napari_autofocus.workflows.calibration.steps import CalibrationStep, proof_step
from napari_autofocus.workflows.calibration.teaching import (
    Teaching,
    compare,
    teach_here,
    with_density,
)
from napari_autofocus.workflows.calibration.verdict import judge
from napari_autofocus.workflows.calibration_plan import CalibrationPlan, direction_of, undertaking
from napari_autofocus.workflows.calibration_undo import install
from napari_autofocus.workflows.own.files import check_target, name_of

_LIBRARIES = ("numpy", "onnxruntime", "torch", "pymmcore-plus")

Steps = Generator[CalibrationStep, None, CalibrationRecord]


def calibrate(
    microscope: SlideMicroscope,
    plan: CalibrationPlan,
    folder: Path,
    target: Path,
    *,
    teaching: Teaching = teach_here,
) -> Generator[CalibrationStep, None, CalibrationRecord]:
    """Make a model for this microscope, prove it, and say whether to trust it.

    Parameters
    ----------
    microscope : SlideMicroscope
        It stands, roughly in focus, on a part of the slide that has content around it.
    plan : CalibrationPlan
        How.
    folder : Path
        Keeps stacks, training, record and report; the same call goes on from what it holds.
    target : Path
        Where the model goes, a zip, if it is to be trusted; one that is there already is kept for undoing.
    teaching : callable, optional
        What teaches the model; in this process unless given.

    Yields
    ------
    CalibrationStep
        Progress. Closing the generator stops; stage and drive are home when ``close`` returns, and nothing is lost.

    Returns
    -------
    CalibrationRecord
        With its verdict. A model that is not to be trusted stays in the folder.

    Raises
    ------
    InputError
        In one sentence: what cannot be done here, or was begun with other settings.
    HardwareError
        If the microscope fails; DriveHalted if a person halts the drive.
    MicroscopeTaken
        If somebody else has the microscope; it is the calibration's own to the end.
    """
    folder = folder.absolute()
    target = target.absolute()
    check_target(target)
    record = _begun(microscope, plan, folder, name_of(target))
    if record.verdict is not None:
        return record
    base = load_model(plan.base) if plan.base is not None else None
    _check_base(microscope, plan, base)
    record = yield from owning(microscope, "the calibration", _made(microscope, record, folder, base, teaching))
    return (yield from _judged(record, folder, target))


def _made(
    microscope: SlideMicroscope,
    record: CalibrationRecord,
    folder: Path,
    base: ModelPredictor | None,
    teaching: Teaching,
) -> Steps:
    """What needs the microscope, and the teaching meanwhile: stacks, a model, live runs that prove it."""
    asked, home = undertaking(record.plan, microscope, record.begun_at), Home.of(microscope)
    record.write(folder)
    middle = Home(*record.middle, home.z_um)
    with (
        going_home(microscope, home),
        fenced(microscope.focus, asked.low_um, asked.high_um),
    ):
        dataset, record = yield from gather(microscope, record, folder, middle, base)
        record = yield from _taught(record, folder, dataset, base, teaching)
        return (yield from _proved(microscope, record, folder, middle, base))


def _begun(microscope: SlideMicroscope, plan: CalibrationPlan, folder: Path, name: str) -> CalibrationRecord:
    """The record in the folder, if it is of this plan; otherwise a new one."""
    before = read_record(folder)
    if before is not None:
        _check_same(before, plan, name, folder)
        return before
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no calibration; name another folder.")
    frame, drive = microscope.snap(), microscope.focus
    undertaking(plan, microscope)
    facts = {
        "drive": drive.label,
        "limits_um": list(drive.limits_um),
        "focus_direction": direction_of(drive, plan),
        "x_um": frame.x_um,
        "y_um": frame.y_um,
        "z_um": frame.z_um,
        "exposure_ms": frame.exposure_ms,
        "shape": list(frame.image.shape),
    }
    return CalibrationRecord(plan, name, facts, _versions(), _now())


def _check_same(before: CalibrationRecord, plan: CalibrationPlan, name: str, folder: Path) -> None:
    old, new = before.plan.to_json(), plan.to_json()
    other = [key for key in new if old.get(key) != new[key]] + ["name"] * (before.name != name)
    if other:
        raise InputError(
            f"{folder / RECORD} was begun otherwise (other {', '.join(other)}); go on with the settings it was begun"
            " with, or name another folder."
        )


def _check_base(microscope: SlideMicroscope, plan: CalibrationPlan, base: ModelPredictor | None) -> None:
    """Refuse what teaching would refuse, before an hour is spent on it."""
    if base is None:
        return
    card, image = base.card, microscope.snap().image
    colour = "rgb" if image.ndim == 3 else "mono"
    if card.optics.colour != colour:
        kinds = {"rgb": "colour", "mono": "grey"}
        raise InputError(
            f"The camera takes {kinds[colour]} images, and {card.name} was made for {kinds[card.optics.colour]} ones;"
            " choose another model to begin with, or begin anew."
        )
    most_um = card.range_um * plan.dof_um / card.dof_um
    if plan.model_range_um > most_um * (1 + 1e-9):
        raise InputError(
            f"From {card.name} a model answers within ±{most_um:.4g} µm here, and ±{plan.model_range_um:g} µm is asked"
            " for; ask for less, or begin anew."
        )
    if min(image.shape[:2]) < card.patch_px:
        raise InputError(
            f"Frames of {image.shape[0]} x {image.shape[1]} px are too small for {card.name}, which reads patches of"
            f" {card.patch_px} px; use a larger part of the camera."
        )


def _taught(
    record: CalibrationRecord,
    folder: Path,
    dataset: LabelledDataset,
    base: ModelPredictor | None,
    teaching: Teaching,
) -> Steps:
    """The model, and the answers of the one before on the same frames; each is kept as soon as it is there."""
    plan = record.plan
    if record.taught is None:
        taught = yield from teaching(folder)
        record = replace(record, taught=replace(taught, held_out=with_density(taught.held_out, dataset)))
        record.write(folder)
    assert record.taught is not None
    if record.before is None and base is not None:
        answers = yield from compare(base, dataset, record.taught.held_out, plan.objective)
        record = replace(record, before=with_density(answers, dataset))
        record.write(folder)
    return record


def _proved(
    microscope: SlideMicroscope, record: CalibrationRecord, folder: Path, middle: Home, base: ModelPredictor | None
) -> Steps:
    """The live runs that are missing; each is kept as soon as it has ended."""
    if len(record.proofs) >= record.plan.proofs:
        return record
    model = load_model(folder / MODEL)
    steps = prove(microscope, record.plan, model, base, middle, done=record.proofs, taken=places_of(folder / STACKS))
    with microscope.restoring():
        for step in steps:
            record = _noted(record, step, folder)
            yield proof_step(step)
    return record


def _noted(record: CalibrationRecord, step: ProofStep, folder: Path) -> CalibrationRecord:
    changed = record
    if step.proof is not None:
        changed = replace(record, proofs=(*record.proofs, step.proof))
    elif step.passed_over is not None and step.passed_over not in record.passed_over:
        changed = replace(record, passed_over=(*record.passed_over, step.passed_over))
    if changed is not record:
        changed.write(folder)
    return changed


def _judged(record: CalibrationRecord, folder: Path, target: Path) -> Steps:
    """Verdict, report, and the model in its place if it is to be trusted."""
    assert record.taught is not None
    yield CalibrationStep("report", words="Judging, and writing the report")
    verdict = judge(record.taught, record.proofs, record.plan.proofs)
    record = replace(record, verdict=verdict, finished=_now())
    if verdict.trust != "no":
        record = install(record, folder, target)
    write_report(record, folder)
    record.write(folder)
    return record


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    found = {"napari-autofocus": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
