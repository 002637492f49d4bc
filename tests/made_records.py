"""Records of runs as tests need them."""

from __future__ import annotations

from typing import Any

from napari_autofocus.records import CurvePoint, RefocusRecord, Shot, SweepRecord, TrackRecord, TrackSample


def refocus_record(**changes: Any) -> RefocusRecord:
    """A refocus from +6.9 µm that ended in focus, with whatever a test wants otherwise."""
    stated: dict[str, Any] = {
        "method": "one-shot",
        "outcome": "focused",
        "start_um": 7.0,
        "end_um": 0.1,
        "x_um": 100.0,
        "y_um": -50.0,
        "before_um": 6.9,
        "after_um": 0.05,
        "after_uncertainty_um": 0.04,
        "dof_um": 1.0,
        "focus_direction": 1,
        "verdict": "flat",
        "model": "brightfield-20x",
        "fingerprint": "f" * 64,
        "warnings": ("The objective is not the model's.",),
        "reasons": ("The second shot says +0.05 µm.", "That is within 0.3 DOF."),
        "frames": 2,
        "moves": 1,
        "seconds": 0.31,
        "shots": (Shot(7.0, "shot", "flat", 6.9, 0.1, 0.999, 12, 192), Shot(0.1, "verify", "flat", 0.05, 0.04)),
    }
    return RefocusRecord(**{**stated, **changes})


def sweep_record(**changes: Any) -> SweepRecord:
    """A sweep that found its peak, with whatever a test wants otherwise."""
    curve = tuple(CurvePoint(float(z), 10.0 - z * z) for z in (-3, -2, -1, 0, 1, 2, 3))
    stated: dict[str, Any] = {
        "method": "uniform",
        "outcome": "focused",
        "start_um": 3.0,
        "end_um": 0.0,
        "best_z_um": 0.0,
        "uncertainty_um": 0.02,
        "verdict": "peak",
        "reasons": ("One clear peak.",),
        "frames": 7,
        "moves": 7,
        "seconds": 1.2,
        "curve": curve,
    }
    return SweepRecord(**{**stated, **changes})


def hold_record(**changes: Any) -> TrackRecord:
    """A hold that a person ended after it had followed a drift, with whatever a test wants otherwise."""
    samples = (
        TrackSample(0.0, "holding", 7.0, 6.9, 0.1, 0.0),
        TrackSample(5.0, "missed", 7.0),
        TrackSample(10.0, "corrected", 6.4, 6.4, 0.6, -0.5, -0.6),
    )
    stated: dict[str, Any] = {
        "ended": "cancelled",
        "reasons": ("A person ended it.",),
        "start_um": 7.0,
        "end_um": 6.4,
        "x_um": 100.0,
        "y_um": -50.0,
        "dof_um": 1.0,
        "focus_direction": 1,
        "model": "brightfield-20x",
        "fingerprint": "f" * 64,
        "warnings": (),
        "rounds": 3,
        "misses": 1,
        "pauses": 0,
        "moves": 1,
        "seconds": 12.0,
        "samples": samples,
    }
    return TrackRecord(**{**stated, **changes})
