"""How a refocus sees a place: by one frame, or by two a known way apart, of which the first is never the closer one."""

from __future__ import annotations

import math
from collections.abc import Generator

from napari_autofocus.errors import MoveRefused
from napari_autofocus.focus.estimate import FocusEstimate, refocus_z_um
from napari_autofocus.routines.refocus_config import Phase, RefocusStep
from napari_autofocus.routines.refocusing.run import Look, RefocusRun

Steps = Generator[RefocusStep, None, None]

REUSE_TOLERANCE = 0.05
"""A frame that lies as far off as the first of two shots should, within this share, is taken for it (ours)."""
AGREEMENT_SHARE = 0.25
"""Two readings of two shots agree on where to go within a depth of field, or within this share of the way (ours)."""


def see(run: RefocusRun, phase: Phase, z_um: float | None = None) -> Steps:
    """Bring the drive to a place (or leave it where it stands) and have what is seen there read.

    Where two shots are taken, the drive first goes apart by their distance, looks, and comes back together: the second
    shot is of the place itself, and both are reached without a reversal in between. A frame that already lies so far
    off serves as the first.

    Raises
    ------
    MoveRefused
        If the limits of the drive leave no room for the first shot.
    HardwareError, FrameError
        If the drive or the camera fails.
    """
    if run.by_pair:
        yield from _two_shots(run, phase, run.guard.drive.last_um if z_um is None else z_um)
        return
    if z_um is not None:
        run.guard.go(z_um)
    yield run.look(phase)


def _two_shots(run: RefocusRun, phase: Phase, z_um: float) -> Steps:
    if run.direction == 0:
        yield from _try_both_ways(run, phase, z_um)
        return
    if not _serves_as_first(run, z_um):
        yield from _first_shot(run, _first_place_um(run, z_um))
    first = run.newest.frame
    run.guard.go(z_um)
    second = run.guard.snap()
    yield run.note(phase, second, run.read_pair(first, second, run.direction), first)


def _first_shot(run: RefocusRun, z_um: float) -> Steps:
    run.guard.go(z_um)
    yield run.note("apart", run.guard.snap())


def _serves_as_first(run: RefocusRun, z_um: float) -> bool:
    """Whether the newest frame lies where the first of two shots would be taken."""
    if not run.looks or run.newest.phase == "neighbour":
        return False
    way_um = run.direction * (z_um - run.newest.z_um)
    return abs((abs(way_um) if run.is_assumed else way_um) - run.dz_um) <= REUSE_TOLERANCE * run.dz_um


def _first_place_um(run: RefocusRun, z_um: float) -> float:
    """Apart; where nobody knows which way that is, on the side that the drive comes from: not beyond focus."""
    side = -run.direction
    if run.is_assumed and run.guard.drive.last_um != z_um:
        side = 1 if run.guard.drive.last_um > z_um else -1
    place_um = z_um + side * run.dz_um
    if run.may_go(place_um):
        return place_um
    low, high = run.guard.drive.limits_um
    raise MoveRefused(
        f"two shots at {z_um:.2f} µm need a step of {run.dz_um:g} µm to {place_um:.2f} µm, beyond the limits of"
        f" {run.guard.drive.label}, {low:g} to {high:g} µm; set wider limits, or focus by one shot."
    )


# A drive whose direction nobody knows.


def _try_both_ways(run: RefocusRun, phase: Phase, z_um: float) -> Steps:
    """Two shots, read as if a growing z brought sample and objective together, and as if it took them apart.

    Both readings have to put focus at the same place, since then it does not matter which holds; otherwise nothing
    moves. Which way the drive focuses stays unknown: two shots of even optics cannot tell it.
    """
    step_um = run.dz_um
    if run.config.probe_for(run.dof_um) < step_um * (1 - REUSE_TOLERANCE):
        run.end(
            "refused",
            f"It is not known which way this drive focuses, and a step of {step_um:g} µm for two shots is not allowed"
            " without that; state it.",
        )
        return
    way_um = -step_um if run.may_go(z_um - step_um) else step_um
    yield from _first_shot(run, z_um + way_um)
    first = run.newest.frame
    run.guard.go(z_um)
    second = run.guard.snap()
    read = {direction: run.read_pair(first, second, direction) for direction in (1, -1)}
    run.direction, run.is_assumed = (1 if way_um < 0 else -1), True
    step = run.note(phase, second, read[run.direction], first)
    _compare(run, read[run.direction], read[-run.direction])
    yield step


def _compare(run: RefocusRun, assumed: FocusEstimate, opposite: FocusEstimate) -> None:
    """Go on only where it does not matter which of two readings holds."""
    if assumed.verdict in ("no_content", "unsure"):
        return  # nothing moves by such an estimate
    places = [
        refocus_z_um(run.newest.z_um, estimate.defocus_um, direction)
        for estimate, direction in ((assumed, run.direction), (opposite, -run.direction))
        if estimate.defocus_um is not None and math.isfinite(estimate.defocus_um)
    ]
    if len(places) == 2 and opposite.verdict not in ("no_content", "unsure") and _agree(run, assumed, places):
        run.guard.reasons.append(
            "Which way this drive focuses is not known; read either way, the two shots put focus at"
            f" {places[0]:.2f} and {places[1]:.2f} µm."
        )
        return
    run.end(
        "refused",
        "It is not known which way this drive focuses, and the two shots put focus at different places by the one way"
        " and by the other; state it.",
    )


def _agree(run: RefocusRun, assumed: FocusEstimate, places: list[float]) -> bool:
    ways = [place - run.newest.z_um for place in places]
    if assumed.verdict == "out_of_range":
        return ways[0] * ways[1] > 0
    return abs(ways[0] - ways[1]) <= max(run.dof_um, AGREEMENT_SHARE * max(abs(way) for way in ways))


# Below focus, as the paper has it.


def wants_below(run: RefocusRun) -> bool:
    """Whether the next two shots are better taken below focus: the newest two lie above it.

    Asked once in a run, and only where the limits leave room and apart is known.
    """
    value = run.estimate.defocus_um
    if not run.by_pair or run.is_assumed or "again" in run.tried or value is None or value <= run.accept_um:
        return False
    first_um = run.target_um() - 2 * run.direction * run.dz_um
    return run.estimate.trusted and run.may_go(first_um)


def look_from_below(run: RefocusRun) -> Generator[RefocusStep, None, Look]:
    """Step well below the predicted focus and take both shots again (Rai Dastidar, CVPR workshop 2019).

    How far is not in the paper; ours is the distance of the shots once more, so that the second shot serves as the
    first of the two that verify. From here the drive approaches focus without a reversal.

    Returns
    -------
    Look
        What led here, to compare with.
    """
    above, below_um = run.newest, run.target_um() - run.direction * run.dz_um
    run.tried.add("again")
    run.require_near(below_um)
    yield from see(run, "again", below_um)
    return above
