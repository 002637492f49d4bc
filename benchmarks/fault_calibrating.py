"""Calibrating a model in the fault campaign: stacks, labels, live proofs, verdict; what teaches is a fake."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import napari_autofocus.workflows.calibrate as calibrating
from fault_stand import DOF_UM, LENS, Stand
from napari_autofocus.models.evaluation import Evaluation
from napari_autofocus.models.library import find_model
from napari_autofocus.models.metrics import FieldResult
from napari_autofocus.models.package import CardOptics, open_package
from napari_autofocus.workflows.calibration.record import MODEL, Taught
from napari_autofocus.workflows.calibration.steps import CalibrationStep
from napari_autofocus.workflows.calibration_plan import CalibrationPlan
from napari_autofocus.workflows.own.cross_validation import ErrorEstimate

PLAN = CalibrationPlan(LENS, stacks=4, range_um=3.0, step_um=1.0, folds=0, proofs=1, base="reader", area_um=60.0)
_SHIPPED = "brightfield-20x"


@dataclass(frozen=True)
class Calibrated:
    """What a calibration that came to its end says."""

    outcome: str
    reasons: tuple[str, ...]


def calibrate(stand: Stand, keep: Callable[[Any], None]) -> Generator[Any, None, None]:
    """A calibration whose models read frames as the campaign's do."""
    reader: Any = stand.reader()
    card = open_package(find_model(_SHIPPED)).card
    changes = {"optics": CardOptics.of(LENS, "mono"), "patch_px": 32, "stride_px": 16}
    reader.card = card.model_copy(update=changes)
    reader.package = reader
    before: Any = calibrating.load_model, calibrating.compare
    module: Any = calibrating
    module.load_model, module.compare = (lambda _: reader), _no_comparison
    folder = stand.folder / "mine.calibration"
    try:
        record = yield from calibrating.calibrate(
            stand.rig.microscope, PLAN, folder, stand.folder / "mine.zip", teaching=_teaching
        )
    finally:
        module.load_model, module.compare = before
    verdict = record.verdict
    keep(Calibrated("done", ("none",) if verdict is None else (verdict.trust, *verdict.reasons)))


def _teaching(folder: Path) -> Generator[CalibrationStep, None, Taught]:
    """A model at once: the shipped file, said to be good."""
    yield CalibrationStep("teach", 0, 1, "Learning defocus")
    shutil.copyfile(find_model(_SHIPPED), folder / MODEL)
    said = ErrorEstimate(0.1, 0.08, 0.12, DOF_UM, 0.998, 4, 100, True)
    return Taught("mine", open_package(folder / MODEL).fingerprint, 4, _held_out(), said, ("Labelled by Brenner.",))


def _held_out() -> Evaluation:
    rng = np.random.default_rng(0)
    results = [
        FieldResult(
            "field_0000.zarr", "0", None, "dense", float(true_um), float(true_um + 0.1 * rng.normal()), verdict="flat"
        )
        for true_um in np.linspace(-9.7, 9.7, 40)
    ]
    return Evaluation("mine", tuple(results), DOF_UM, 10 * DOF_UM)


def _no_comparison(*_: Any) -> Generator[CalibrationStep, None, Evaluation]:
    yield CalibrationStep("compare", 1, 1, "Asking")
    return _held_out()


def unfinished(folder: Path) -> SimpleNamespace:
    """What lies in the folder of a calibration: its record and how many stacks."""
    from napari_autofocus.workflows.calibration.record import STACKS, read_record

    home = folder / "mine.calibration"
    return SimpleNamespace(record=read_record(home), stacks=len(list((home / STACKS).glob("*.zarr"))))
