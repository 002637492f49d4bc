"""A field without a single focus: scan the predicted range, go to the plane where most of its content is sharp."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from napari_autofocus.focus.fusion import best_plane, fuse
from napari_autofocus.routines.refocus_config import RefocusStep
from napari_autofocus.routines.refocus_help import ask_sweep
from napari_autofocus.routines.refocus_run import RefocusRun

Steps = Generator[RefocusStep, None, None]

MOST_PLANES = 40


def scan_field(run: RefocusRun) -> Steps:
    """Scan an uneven field over the predicted range and go to the plane where most of its content is sharp."""
    estimate, base = run.estimate, run.newest
    if "scan" in run.tried or estimate.scan_um is None or run.direction == 0:
        yield from ask_sweep(run, "reverted" if run.guard.drive.moves else "refused", " ".join(estimate.reasons))
        return
    run.tried.add("scan")
    run.methods.append("scan")
    places = _scan_places(run, base.z_um, estimate.scan_um)
    run.require_near(places[0])
    run.require_near(places[-1])
    planes = []
    for z_um in places:
        run.guard.go(z_um)
        yield run.scan_look()
        planes.append(run.newest)
    stack = [look.frame.image for look in planes]
    index, share = best_plane(stack, [look.z_um for look in planes], estimate.chosen_patches)
    if run.config.uneven == "composite":
        yield run.step(composite=fuse(stack, [look.z_um for look in planes]).image)
    run.guard.go(planes[index].z_um)
    yield run.look("verify")
    _judge_scan(run, base.estimate.defocus_um if base.estimate else None, share)


def _scan_places(run: RefocusRun, z_um: float, scan_um: tuple[float, float]) -> list[float]:
    """Heights a depth of field apart over the predicted range of defocus, each nearer to contact than the last."""
    low, high = run.guard.drive.limits_um
    nearest, farthest = (min(max(z_um - run.direction * defocus, low), high) for defocus in scan_um)
    count = min(max(math.ceil(abs(nearest - farthest) / run.dof_um) + 1, 2), MOST_PLANES)
    ends = sorted((nearest, farthest))[:: run.direction]
    return [float(place) for place in np.linspace(ends[0], ends[1], count)]


def _judge_scan(run: RefocusRun, before_um: float | None, share: float) -> None:
    """Stay at the best plane of a scan unless the model says that the field as a whole is farther from focus there."""
    after_um = run.estimate.defocus_um
    if after_um is None or before_um is None:
        run.end("reverted", "The frame at the best plane of the scan cannot be judged.")
    elif abs(after_um) > abs(before_um) + run.dof_um:
        run.end(
            "reverted", f"At the best plane of the scan the defocus is {after_um:+.2f} µm; it was {before_um:+.2f} µm."
        )
    elif blurred := run.blurred_since_start():
        run.end("reverted", blurred)
    else:
        run.end(
            "focused",
            f"The field is uneven: at {run.newest.z_um:.2f} µm {share:.0%} of its content is sharpest within a depth of"
            " field.",
            stay=True,
        )
