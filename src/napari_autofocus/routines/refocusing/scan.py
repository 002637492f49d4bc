"""A field without a single focus: scan the predicted range, go to the plane where most of its content is sharp."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.focus.fusion import best_plane, fuse
from napari_autofocus.focus.scan_alignment import align
from napari_autofocus.focus.transparent import is_for_transparent
from napari_autofocus.routines.refocus_config import Composite, RefocusStep
from napari_autofocus.routines.refocusing.belief import blurred_since_start, can_be_judged
from napari_autofocus.routines.refocusing.help import ask_sweep
from napari_autofocus.routines.refocusing.run import Look, RefocusRun
from napari_autofocus.routines.refocusing.two_shot_seeing import see

Steps = Generator[RefocusStep, None, None]

MOST_PLANES = 40
MOST_BEYOND = 4
"""Planes that are added where the best one lies at an end of the scan (ours)."""


def scan_field(run: RefocusRun) -> Generator[RefocusStep, None, float | None]:
    """Scan an uneven field over the predicted range, go to the plane where most of its content is sharp, look there.

    Returns
    -------
    float or None
        Share of the content that is sharpest within a depth of field of that plane; None where the run has ended.
    """
    estimate, base = run.estimate, run.newest
    if "scan" in run.tried or estimate.scan_um is None or run.direction == 0:
        yield from ask_sweep(run, "reverted" if run.guard.drive.moves else "refused", " ".join(estimate.reasons))
        return None
    if is_for_transparent(run.card):
        why = f"{' '.join(estimate.reasons)} The sharpest plane of a transparent specimen is none in focus."
        yield from ask_sweep(run, "reverted" if run.guard.drive.moves else "refused", why)
        return None
    run.tried.add("scan")
    run.methods.append("scan")
    places = _places(run, base.z_um, estimate.scan_um)
    run.require_near(places[0])
    run.require_near(places[-1])
    planes: list[Look] = []
    for z_um in places:
        yield from _plane(run, z_um, planes)
    best, share = _best(planes, estimate)
    for _ in range(MOST_BEYOND):
        beyond_um = _beyond(run, best, planes)
        if beyond_um is None:
            break
        yield from _plane(run, beyond_um, planes)
        best, share = _best(planes, estimate)
    if run.config.uneven == "composite":
        yield _composite(run, planes)
    if _is_at_end(best, planes):
        why = f"Sharpness still rises at the end of the scan, {best.z_um:.2f} µm: the field's focus lies beyond."
        yield from ask_sweep(run, "reverted", why)
        return None
    yield from see(run, "verify", best.z_um)
    return share


def judge_scan(run: RefocusRun, base: Look, share: float) -> Steps:
    """Stay at the best plane of a scan unless the model, or the pictures, say that the field is not in focus there."""
    before_um = base.estimate.defocus_um if base.estimate else None
    after_um, spread_um = run.estimate.defocus_um, run.estimate.spread_um or 0.0
    if after_um is None or before_um is None or not can_be_judged(run):
        doubt = f"The frame at the best plane of the scan cannot be judged ({run.estimate.verdict.replace('_', ' ')})."
    elif abs(after_um) > max(run.dof_um, spread_um / 2):
        doubt = f"At the best plane of the scan most of the content is {after_um:+.2f} µm from focus, the model says."
    elif abs(after_um) > abs(before_um) + run.accept_um:
        doubt = f"At the best plane of the scan the defocus is {after_um:+.2f} µm; it was {before_um:+.2f} µm."
    else:
        doubt = blurred_since_start(run)
    if doubt:
        yield from ask_sweep(run, "reverted", doubt)
        return
    run.end(
        "focused",
        f"The field is uneven: at {run.newest.z_um:.2f} µm {share:.0%} of its content is sharpest within a depth of"
        " field.",
        stay=True,
    )


def _plane(run: RefocusRun, z_um: float, planes: list[Look]) -> Steps:
    run.guard.go(z_um)
    yield run.scan_look()
    planes.append(run.newest)


def _best(planes: list[Look], estimate: FocusEstimate) -> tuple[Look, float]:
    index, share = best_plane(
        [look.frame.image for look in planes], [look.z_um for look in planes], estimate.chosen_patches
    )
    return planes[index], share


def _composite(run: RefocusRun, planes: list[Look]) -> RefocusStep:
    """The all-in-focus image of the scan, laid over each other first, with the depth of what can be told of it."""
    z_um = [look.z_um for look in planes]
    laid = align([look.frame.image for look in planes], z_um)
    fused = fuse(laid.planes, z_um)
    return run.step(composite=Composite(fused.image, fused.told_depth_um(), tuple(z_um), laid.largest_px))


def _is_at_end(best: Look, planes: list[Look]) -> bool:
    heights = [look.z_um for look in planes]
    return best.z_um in (min(heights), max(heights))


def _beyond(run: RefocusRun, best: Look, planes: list[Look]) -> float | None:
    """One more place where the best plane lies at an end of the scan; None where it does not, or the limits forbid."""
    if not _is_at_end(best, planes):
        return None
    highest = max(look.z_um for look in planes)
    place_um = best.z_um + math.copysign(run.dof_um, 1 if best.z_um == highest else -1)
    return place_um if run.may_go(place_um) else None


def _places(run: RefocusRun, z_um: float, scan_um: tuple[float, float]) -> list[float]:
    """Heights a depth of field apart over the predicted range of defocus, each nearer to contact than the last."""
    low, high = run.guard.drive.limits_um
    nearest, farthest = (min(max(z_um - run.direction * defocus, low), high) for defocus in scan_um)
    count = min(max(math.ceil(abs(nearest - farthest) / run.dof_um) + 1, 3), MOST_PLANES)
    ends = sorted((nearest, farthest))[:: run.direction]
    return [float(place) for place in np.linspace(ends[0], ends[1], count)]
