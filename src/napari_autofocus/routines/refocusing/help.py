"""What a refocus does where one estimate is not enough: a direction to find, a frame to take again, a sweep to ask."""

from __future__ import annotations

import math
from collections.abc import Generator

from napari_autofocus.errors import HardwareError
from napari_autofocus.focus.transparent import is_for_transparent
from napari_autofocus.focus.two_looks import settle
from napari_autofocus.records import Outcome, SweepRecord
from napari_autofocus.routines.refocus_config import RefocusStep
from napari_autofocus.routines.refocusing.run import RefocusRun
from napari_autofocus.routines.refocusing.two_shot_seeing import see
from napari_autofocus.routines.sweep import sweep

Steps = Generator[RefocusStep, None, None]

BESIDE_DOF = 2.0
"""How far beside a place a frame confirms it where nothing shows in focus, depths of field (ours)."""
PROBE_TOLERANCE = 0.5
"""How far the change that a probing move makes may differ from its length, as a share of it (ours)."""


def find_direction(run: RefocusRun) -> Steps:
    """Find out which way the drive focuses, by a small move and a second estimate."""
    length_um, before = run.config.probe_for(run.dof_um), run.newest
    if length_um == 0 or "probe" in run.tried:
        run.end("refused", "It is not known which way this drive focuses, and trying it out is not allowed; state it.")
        return
    run.tried.add("probe")
    way_um = length_um if run.may_go(before.z_um + length_um) else -length_um
    yield from see(run, "probe", before.z_um + way_um)
    first, second = before.estimate, run.newest.estimate
    readable = second is not None and second.verdict in ("flat", "tilted", "uneven", "out_of_range")
    if first is None or second is None or not readable or first.defocus_um is None or second.defocus_um is None:
        run.end("refused", "The frame after the probing move cannot be judged; state which way this drive focuses.")
        return
    change_um, moved_um = second.defocus_um - first.defocus_um, run.newest.z_um - before.z_um
    if abs(abs(change_um) - abs(moved_um)) > PROBE_TOLERANCE * abs(moved_um):
        run.end(
            "refused",
            f"A probing move of {moved_um:+.2f} µm changed the defocus by {change_um:+.2f} µm, which fits neither"
            " direction; state which way this drive focuses.",
        )
        return
    run.direction = 1 if change_um * moved_um > 0 else -1
    together = "together" if run.direction > 0 else "apart"
    run.guard.reasons.append(
        f"Found out by a move of {moved_um:+.2f} µm: a growing z brings sample and objective {together}."
    )


def step_into_range(run: RefocusRun) -> Steps:
    """Step to the edge of the model's range in the predicted direction and look again, once."""
    value = run.estimate.defocus_um
    if "edge" in run.tried or value is None or run.direction == 0:
        yield from ask_sweep(run, "refused", " ".join(run.estimate.reasons))
        return
    run.tried.add("edge")
    low, high = run.guard.drive.limits_um
    wished = run.newest.z_um - run.direction * math.copysign(run.card.range_um, value)
    target_um = min(max(wished, low), high)
    run.require_near(target_um)
    yield from see(run, "edge", target_um)


def may_hide_in_focus(run: RefocusRun) -> bool:
    """Whether the newest frame, after a correction, may show nothing because a transparent specimen is in focus."""
    beside_um = run.newest.z_um - run.direction * BESIDE_DOF * run.dof_um
    return (
        run.estimate.verdict == "no_content"
        and is_for_transparent(run.card)
        and not run.by_pair
        and run.direction != 0
        and "beside" not in run.tried
        and run.may_go(beside_um)
    )


def look_beside(run: RefocusRun) -> Steps:
    """In focus a transparent specimen shows nothing: look a known way beside, and come back where that agrees."""
    there_um, way_um = run.newest.z_um, BESIDE_DOF * run.dof_um
    run.tried.add("beside")
    yield from see(run, "second", there_um - run.direction * way_um)
    estimate = run.estimate
    left_um = math.nan if estimate.defocus_um is None else estimate.defocus_um + way_um
    if not (estimate.trusted and abs(left_um) <= run.dof_um):
        yield from give_up(
            run, "reverted", "The frame after the move shows no content, and one beside it does not confirm the move."
        )
        return
    place_um = there_um
    if abs(left_um) > run.accept_um:
        place_um, left_um = run.target_um(), 0.0
    run.require_near(place_um)
    run.guard.go(place_um)
    run.left = left_um, estimate.uncertainty_um
    run.end(
        "focused",
        f"Verified from {way_um:g} µm beside, where the specimen shows: {left_um:+.2f} µm are left. In focus a"
        " transparent specimen shows next to nothing.",
        stay=True,
    )


def settle_side(run: RefocusRun) -> bool:
    """Whether an earlier frame settles on which side of focus the newest lies; its estimate then says so."""
    if run.direction == 0 or run.by_pair:
        return False
    for look in reversed(run.looks[:-1]):
        if look.estimate is None:
            continue
        change_um = run.direction * (run.newest.z_um - look.z_um)
        settled = settle(look.estimate, run.estimate, change_um, dof_um=run.card.dof_um, range_um=run.card.range_um)
        if settled is not None:
            run.reread(settled)
            return True
    return False


def second_shot(run: RefocusRun) -> Steps:
    """One more frame a known way off, sample and objective apart, once; then a sweep, if allowed."""
    before, way_um = run.newest, run.config.second_shot_for(run.dof_um)
    # Apart is the safe way; where nobody knows which that is, only as far as a probe may go.
    apart_um = way_um if run.direction else min(way_um, run.config.probe_for(run.dof_um))
    target_um = before.z_um - (run.direction or 1) * apart_um
    if "second" in run.tried or apart_um == 0 or not run.may_go(target_um):
        yield from ask_sweep(run, "refused", " ".join(run.estimate.reasons))
        return
    run.tried.add("second")
    yield from see(run, "second", target_um)


def give_up(run: RefocusRun, outcome: Outcome, why: str) -> Steps:
    """Estimates have come to their end: two shots decide where they may, from the best place known; then a sweep."""
    if not run.may_ask_pair:
        yield from ask_sweep(run, outcome, why)
        return
    run.guard.reasons.append(f"{why} Two shots decide.")
    run.use_pair()
    yield from see(run, "second", run.guard.home_um)


def ask_sweep(run: RefocusRun, outcome: Outcome, why: str) -> Steps:
    """Where estimates cannot help: a sweep from the start, if the settings allow one; otherwise the run ends."""
    config = run.config.sweep
    run.guard.home_um = run.guard.start_um
    if config is None:
        run.end(outcome, why)
        return
    run.guard.reasons.append(f"{why} Sweeping instead.")
    run.methods.append("sweep")
    run.guard.go(run.guard.home_um)
    kept: list[SweepRecord] = []
    steps = sweep(run.guard.microscope, config, keep=kept.append)
    try:
        for step in steps:
            yield RefocusStep("sweep", step.frame, len(run.looks) + step.index, sharpness=step.sharpness)
    finally:
        steps.close()
        if kept:
            _take_over(run, kept[-1])


def _take_over(run: RefocusRun, record: SweepRecord) -> None:
    """The sweep has settled the drive itself: at its peak, back where it began, or where a person put it."""
    run.guard.frames += record.frames
    run.guard.drive.moves += record.moves
    run.curve += record.curve
    run.guard.stay = True
    run.guard.outcome = record.outcome
    run.guard.reasons += record.reasons
    try:
        run.guard.drive.adopt()
    except HardwareError:
        run.guard.drive.look_again()
