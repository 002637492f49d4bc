"""What a refocus leaves behind, from the books of its run."""

from __future__ import annotations

import math

from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.records import RefocusRecord, Shot
from napari_autofocus.routines.refocusing.run import Look, RefocusRun


def record_of(run: RefocusRun) -> RefocusRecord:
    """The record of a run, however it ended."""
    guard, estimates = run.guard, [look.estimate for look in run.looks if look.estimate is not None]
    first, last = (estimates[0], estimates[-1]) if estimates else (None, None)
    came_back = abs(guard.drive.last_um - run.newest.z_um) > run.config.same_place_um if run.looks else True
    place = (run.looks[0].frame.x_um, run.looks[0].frame.y_um) if run.looks else (math.nan, math.nan)
    after_um, uncertainty_um = (last.defocus_um, last.uncertainty_um) if last and not came_back else (None, None)
    if run.left is not None:
        after_um, uncertainty_um = run.left
    return RefocusRecord(
        method=", ".join(run.methods),
        outcome=guard.outcome or "failed",
        start_um=guard.start_um,
        end_um=guard.drive.last_um,
        x_um=_plain(place[0]),
        y_um=_plain(place[1]),
        before_um=_plain(first.defocus_um) if first else None,
        after_um=_plain(after_um),
        after_uncertainty_um=_plain(uncertainty_um),
        dof_um=run.dof_um,
        focus_direction=0 if run.is_assumed else run.direction,
        verdict=first.verdict if first else "",
        model=", ".join(model.name for model in run.models),
        fingerprint=", ".join(model.fingerprint for model in run.models),
        warnings=tuple(dict.fromkeys(warning for estimate in estimates for warning in estimate.warnings)),
        reasons=tuple(guard.reasons),
        frames=guard.frames,
        moves=guard.drive.moves,
        seconds=guard.seconds,
        shots=tuple(_shot(look) for look in run.looks),
        curve=tuple(run.curve),
        **_tilt_of(estimates),
    )


def _tilt_of(estimates: list[FocusEstimate]) -> dict[str, tuple[float, float]]:
    """What the record says of the tilt, by the last frame that told it."""
    tilt = next((estimate.tilt for estimate in reversed(estimates) if estimate.tilt is not None), None)
    if tilt is None:
        return {}
    return {
        "tilt_um_per_mm": (tilt.x_um_per_mm, tilt.y_um_per_mm),
        "tilt_error_um_per_mm": (tilt.x_error, tilt.y_error),
        "field_um": (tilt.height_um, tilt.width_um),
    }


def _shot(look: Look) -> Shot:
    estimate = look.estimate
    if estimate is None:
        return Shot(look.z_um, look.phase, sharpness=_plain(look.sharpness))
    return Shot(
        z_um=look.z_um,
        phase=look.phase,
        verdict=estimate.verdict,
        defocus_um=_plain(estimate.defocus_um),
        uncertainty_um=_plain(estimate.uncertainty_um),
        direction_probability=estimate.direction_probability,
        patches_read=len(estimate.chosen_patches),
        patches=len(estimate.patches),
        sharpness=_plain(look.sharpness),
    )


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
