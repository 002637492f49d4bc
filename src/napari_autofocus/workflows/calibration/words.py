"""What a calibration found, as the page, the panel and the shell tell it: rows of words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from napari_autofocus.models.evaluation import Evaluation
from napari_autofocus.models.metrics import accuracy
from napari_autofocus.workflows.calibration.record import CalibrationRecord, Proof

ENDED_WORDS = {"in_focus": "in focus", "missed": "missed", "declined": "declined, went back"}
NONE = "–"

Rows = list[tuple[str, ...]]


def um(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A length with a true minus; a dash where there is none."""
    if value is None:
        return NONE
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", "−")


def share(value: float | None) -> str:
    """A share in per cent."""
    if value is None:
        return NONE
    return "> 99.9 %" if 0.9995 <= value < 1 else f"{100 * value:.1f} %"


def key_figures(record: CalibrationRecord) -> Rows:
    """Name, before, after: how good both models are on the same frames. All answers count that have a number."""
    assert record.taught is not None
    before, after = record.before, record.taught.held_out
    told = [None if each is None else _figures(each) for each in (before, after)]
    names = _figures(after)
    return [(name, *(NONE if each is None else each[name] for each in told)) for name in names]


def _figures(evaluation: Evaluation) -> dict[str, str]:
    """Of every frame with a number, refused or not, so that a model cannot look better by refusing more."""
    found, dof_um = accuracy(evaluation.results, evaluation.dof_um), evaluation.dof_um
    refused = sum(result.refused for result in evaluation.results) / max(len(evaluation.results), 1)
    error = NONE if found.mae_um is None else f"{um(found.mae_um)} µm"
    return {
        "Mean error": error,
        "Mean error / depth of field": um(None if found.mae_um is None else found.mae_um / dof_um),
        "Direction right": share(found.direction_success),
        "Within half a depth of field": share(found.within_half_dof),
        "Refused to answer": share(refused),
    }


def proof_rows(proofs: Sequence[Proof]) -> Rows:
    """Number, start, what the model before said, what the calibrated one said, end, how it ended, frames; µm."""
    return [
        (
            str(proof.number),
            um(proof.start_um, signed=True),
            um(proof.before_um, signed=True),
            um(proof.said_um, signed=True),
            um(proof.end_um, signed=True),
            ENDED_WORDS[proof.ended],
            str(proof.frames),
        )
        for proof in proofs
    ]


def optics_rows(record: CalibrationRecord) -> Rows:
    """Name and value: how the frames were taken, when, and by which program."""
    plan, facts, lens = record.plan, record.microscope, record.plan.objective
    low, high = facts["limits_um"]
    height, width = facts["shape"][:2]
    direction = "grows, sample and objective come together" if facts["focus_direction"] > 0 else "grows, they part"
    return [
        ("Objective", f"{lens.name}, depth of field {lens.dof_um:.3g} µm"),
        ("Camera", f"{width} × {height} px, {lens.pixel_size_um:.4g} µm a pixel in the sample"),
        ("Exposure", f"{facts['exposure_ms']:g} ms"),
        ("Focus drive", f"{facts['drive']}, limits {um(low, 1)} to {um(high, 1)} µm; as its z {direction}"),
        ("Stacks", f"{plan.planes} planes of {plan.plane_step_um:.3g} µm, within ±{plan.area_um:g} µm on the slide"),
        ("Answers within", f"±{plan.model_range_um:.4g} µm of focus"),
        ("Taught", f"{plan.minutes:g} min from {plan.base or 'scratch'}, {plan.folds or 'no'} folds, seed {plan.seed}"),
        ("Begun and finished", f"{_time(record.begun)} to {_time(record.finished)} (UTC)"),
        ("Programs", ", ".join(f"{name} {number}" for name, number in record.versions.items())),
    ]


def _time(stamp: str) -> str:
    return stamp[:16].replace("T", " ") or NONE


def estimate_words(record: CalibrationRecord) -> str:
    """What the error estimate means, for somebody who has to decide."""
    assert record.taught is not None
    estimate, folds = record.taught.estimate, record.plan.folds
    if estimate is None:
        return (
            "The stacks were not cross-validated: some were held out once, and the figures below rest on these alone."
        )
    return (
        f"Each of the {estimate.stacks} stacks was held out once: {folds} models were taught, each without some of"
        f" them, and asked about the {estimate.frames} frames that they had not seen. On a field of this slide or one"
        f" like it, expect a mean error of {um(estimate.mae_um)} µm, with 90 % confidence between"
        f" {um(estimate.low_um)} and {um(estimate.high_um)} µm. That is a statement about slides like this one, through"
        " this objective: after a change of objective, camera, stain or cover glass, calibrate again."
    )


def undo_words(record: CalibrationRecord, folder: str) -> str:
    """Where the model is, and how it is put away again."""
    if record.installed is None:
        return "The model was not put in use; it stays in the folder of the calibration. There is nothing to undo."
    former = "the model that stood there before comes back" if record.installed.former else "its file is taken away"
    return (
        f"The model was put to {record.installed.target}. To undo it, press Undo in the Calibrate panel, or run"
        f" napari-autofocus calibrate --undo {folder}: {former}. Nothing of the microscope was changed."
    )


def json_of(record: CalibrationRecord) -> dict[str, Any]:
    """What ``napari-autofocus calibrate --json`` prints: model, evaluation, verdict, and what they rest on."""
    taught, put = record.taught, record.installed
    assert taught is not None
    return {
        "model": None if put is None else put.target,
        "name": record.name,
        "verdict": None if record.verdict is None else asdict(record.verdict),
        "evaluation": taught.held_out.to_json(),
        "estimate": None if taught.estimate is None else taught.estimate.to_json(),
        "before": None if record.before is None else record.before.to_json(),
        "proofs": [asdict(proof) for proof in record.proofs],
        "set_aside": [asdict(each) for each in record.set_aside],
        "notes": list(taught.notes),
        "former": None if put is None else put.former,
    }
