"""A calibration as tests need it, made without a microscope: eight stacks, a model before that is wrong, ten proofs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from napari_autofocus.models.evaluation import Evaluation, FieldResult
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.calibration.record import (
    CalibrationRecord,
    Installed,
    Proof,
    SetAside,
    Taught,
)
from napari_autofocus.workflows.calibration.verdict import judge
from napari_autofocus.workflows.calibration_plan import CalibrationPlan
from napari_autofocus.workflows.own.cross_validation import ErrorEstimate

LENS = Objective.parse("20x/0.5", pixel_size_um=0.325)
DOF_UM = LENS.dof_um


def evaluation(name: str, slope: float, noise_dof: float, seed: int = 0) -> Evaluation:
    """Answers that are ``slope`` times the truth, and noise."""
    rng = np.random.default_rng(seed)
    results = []
    for stack in range(8):
        for true_um in np.linspace(-9.7, 9.7, 40) * DOF_UM:
            said_um = slope * true_um + noise_dof * DOF_UM * rng.normal()
            refused = slope < 0 and rng.random() < 0.1
            results.append(
                FieldResult(
                    source=f"field_{stack:04d}.zarr",
                    slide=f"{stack}",
                    stain=None,
                    density="dense" if stack < 5 else "sparse",
                    true_um=float(true_um),
                    estimate_um=float(said_um),
                    interval90_um=(float(said_um - 1), float(said_um + 1)),
                    direction_probability=0.99,
                    verdict="unsure" if refused else "flat",
                )
            )
    return Evaluation(name, tuple(results), DOF_UM, 10 * DOF_UM)


def estimate(**changes: Any) -> ErrorEstimate:
    """A good one, in depths of field a sixth."""
    good = ErrorEstimate(0.16 * DOF_UM, 0.12 * DOF_UM, 0.21 * DOF_UM, DOF_UM, 0.998, 8, 320, True)
    return replace(good, **changes)


def proof(number: int, **changes: Any) -> Proof:
    """A live run that ended in focus."""
    start_um = (-1) ** number * 2.3 * number
    made = Proof(
        number,
        100.0 * number,
        -50.0,
        0.4,
        0.1,
        start_um,
        0.3,
        -start_um,
        start_um + 0.4,
        "focused",
        "in_focus",
        2,
        1,
        0.3,
    )
    return replace(made, **changes)


def taught(**changes: Any) -> Taught:
    """What teaching left."""
    made = Taught("mine", "f" * 64, 8, evaluation("mine", 1.0, 0.2), estimate(), ("Labelled by Brenner.",))
    return replace(made, **changes)


def record(**changes: Any) -> CalibrationRecord:
    """A finished calibration; judged unless a verdict is given."""
    facts = {
        "drive": "Z",
        "limits_um": [-100.0, 100.0],
        "focus_direction": 1,
        "x_um": 0.0,
        "y_um": 0.0,
        "z_um": 0.0,
        "exposure_ms": 10.0,
        "shape": [512, 612, 3],
    }
    made = CalibrationRecord(
        plan=CalibrationPlan(LENS),
        name="mine",
        microscope=facts,
        versions={"napari-autofocus": "0.1.0", "python": "3.11"},
        begun="2026-01-02T03:04:05+00:00",
        finished="2026-01-02T03:44:05+00:00",
        taught=taught(),
        before=evaluation("brightfield-20x", -0.8, 0.4, seed=1),
        proofs=tuple(proof(number) for number in range(1, 11)),
        passed_over=(SetAside("Place 120, −40 µm", "Nothing to focus on <there>."),),
        installed=Installed("/models/mine.zip", None),
    )
    made = replace(made, **changes)
    if made.verdict is None and made.taught is not None:
        made = replace(made, verdict=judge(made.taught, made.proofs, made.plan.proofs))
    return made
