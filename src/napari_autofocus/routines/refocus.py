"""Refocus by a model: shot, estimate, decide, move, verify by a second shot, accept; correct again or go back.

It never ends worse than it began: whatever is not verified by a frame taken afterwards is undone. What happens to
fields without a single focus, without content and without an answer is in ``refocusing/help.py`` and
``refocusing/neighbours.py``; how two shots are taken, where a model of two is at hand, in
``refocusing/two_shot_seeing.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusPredictor, PairPredictor, refocus_z_um
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus_config import Proposal, RefocusConfig, RefocusStep
from napari_autofocus.routines.refocusing.belief import blurred_since_start, contradicts, doubt, may_be_play
from napari_autofocus.routines.refocusing.help import (
    find_direction,
    give_up,
    look_beside,
    may_hide_in_focus,
    second_shot,
    settle_side,
    step_into_range,
)
from napari_autofocus.routines.refocusing.neighbours import look_around
from napari_autofocus.routines.refocusing.record import record_of
from napari_autofocus.routines.refocusing.run import Look, RefocusRun
from napari_autofocus.routines.refocusing.scan import judge_scan, scan_field
from napari_autofocus.routines.refocusing.two_shot_seeing import look_from_below, see, wants_below
from napari_autofocus.routines.running.looking import estimate_frame
from napari_autofocus.routines.running.owning import owned

__all__ = ["Proposal", "RefocusConfig", "RefocusStep", "propose", "refocus"]

DISTANCE_BORNE = 0.1
"""How far the distance of two shots may be set from the model's own, as a share of it."""

Steps = Generator[RefocusStep, None, None]


def refocus(
    microscope: Microscope,
    predictor: FocusPredictor,
    config: RefocusConfig,
    *,
    proposal: Proposal | None = None,
    keep: Callable[[RefocusRecord], None] | None = None,
    pair: PairPredictor | None = None,
) -> Generator[RefocusStep, None, RefocusRecord]:
    """Bring a field into focus by what a model reads in a frame of it.

    Cancel by closing the generator: the drive is back at the start when ``close`` returns.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    predictor : FocusPredictor
        What reads the frames.
    config : RefocusConfig
        How to go about it.
    proposal : Proposal, optional
        A proposal to carry out: its frame counts as the first shot, unless the stage has moved since.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).
    pair : PairPredictor, optional
        Reads two shots where the model of one is unsure or contradicts itself, before any sweep; the record's method
        is then ``one-shot, two-shot``.

    Yields
    ------
    RefocusStep
        After each frame.

    Returns
    -------
    RefocusRecord
        Outcome, reasons and every shot. Hardware faults and refusals are outcomes, not exceptions.

    Raises
    ------
    InputError
        If the model refuses the frames (their optics, their size). The drive is where it was.
    HardwareError
        If not even the position at the start can be read. Nothing has moved.
    """
    if config.neighbours and not hasattr(microscope, "move_xy_to"):
        raise InputError("This microscope cannot move its slide; refocus without looking at neighbouring fields.")
    if pair is not None:
        check_pair(pair, config)
    record = yield from carry_out(RefocusRun(microscope, predictor, config, pair), proposal, keep)
    return record


def check_pair(pair: PairPredictor, config: RefocusConfig) -> None:
    """Raises InputError if a model of two shots cannot bear the distance that is set for them."""
    own_um, set_um = pair.card.dz_um, config.dz_um
    if set_um is not None and not config.insist and not abs(set_um - own_um) <= DISTANCE_BORNE * own_um + 1e-9:
        raise InputError(
            f"The model {pair.name} reads two shots {own_um:g} µm apart, give or take {DISTANCE_BORNE:.0%}; found"
            f" {set_um:g} µm."
        )


def carry_out(
    run: RefocusRun, proposal: Proposal | None = None, keep: Callable[[RefocusRecord], None] | None = None
) -> Generator[RefocusStep, None, RefocusRecord]:
    """Look and act until the run has an outcome; whatever ends it, its record is told.

    Raises
    ------
    InputError
        If a model refuses the frames.
    """
    try:
        yield from run.guard.supervise(_look_and_act(run, proposal))
    except InputError:
        has_read = any(look.estimate is not None for look in run.looks)
        keep = keep if run.guard.drive.moves and has_read else None  # told by the error: there was no run
        raise
    finally:
        record = record_of(run)
        if keep is not None:
            keep(record)
    return record


def propose(
    microscope: Microscope, predictor: FocusPredictor, config: RefocusConfig
) -> Generator[RefocusStep, None, Proposal]:
    """Say what a refocus would do, from one frame; nothing moves.

    Parameters
    ----------
    microscope, predictor, config
        As for :func:`refocus`.

    Yields
    ------
    RefocusStep
        After the frame.

    Returns
    -------
    Proposal

    Raises
    ------
    InputError
        If the model refuses the frame.
    HardwareError
        If the microscope fails.
    """
    with owned(microscope, "a proposal of focus", brief=True), microscope.restoring():
        frame = microscope.snap()
    estimate = estimate_frame(frame, predictor, optics=config.optics, insist=config.insist, region=config.region)
    yield RefocusStep("shot", frame, 0, estimate)
    direction = microscope.focus.focus_direction or config.focus_direction
    target_um: float | None = None
    reason = " ".join(estimate.reasons)
    if estimate.trusted and estimate.defocus_um is not None:
        if direction == 0:
            reason = "It is not known which way this drive focuses; state its direction, or let a refocus find it out."
        elif abs(estimate.defocus_um) <= config.accept_dof * predictor.card.dof_um:
            reason = f"Already in focus ({estimate.defocus_um:+.2f} µm); no move is needed."
        else:
            target_um = refocus_z_um(frame.z_um, estimate.defocus_um, direction)
            reason = f"Would go from {frame.z_um:.2f} to {target_um:.2f} µm ({target_um - frame.z_um:+.2f} µm)."
    return Proposal(frame, estimate, target_um, direction, reason)


def _look_and_act(run: RefocusRun, proposal: Proposal | None) -> Steps:
    """The first shot, then whatever its verdict asks for, until the run has an outcome."""
    run.guard.check_start()
    if run.by_pair:
        yield from see(run, "shot")
    else:
        yield run.first(proposal)
    while run.guard.outcome is None:
        yield from _act(run)


def _act(run: RefocusRun) -> Steps:
    """One action by the newest estimate."""
    verdict = run.estimate.verdict
    if verdict == "no_content":
        yield from _skip(run)
    elif verdict == "out_of_range" and run.direction == 0:
        yield from find_direction(run)
    elif verdict == "out_of_range":
        yield from step_into_range(run)
    elif verdict == "unsure":
        yield from _look_twice(run)
    elif verdict == "uneven" and run.config.uneven == "leave":
        run.end("refused", _sentences(run))
    elif verdict == "uneven":
        yield from _scan(run)
    elif not math.isfinite(math.nan if run.estimate.defocus_um is None else run.estimate.defocus_um):
        run.end(
            "refused", f"The model gave no number for the defocus ({run.estimate.defocus_um}); nothing moves by it."
        )
    elif run.is_in_focus():
        yield from _rest(run)
    elif run.direction == 0:
        yield from find_direction(run)
    else:
        yield from _correct(run)


def _look_twice(run: RefocusRun) -> Steps:
    """The estimate is unsure: an earlier frame may settle the side; else a model of two shots decides, or one more."""
    if settle_side(run):
        return
    if run.by_pair or run.may_ask_pair:
        yield from give_up(run, "refused", _sentences(run))
    else:
        yield from second_shot(run)


def _skip(run: RefocusRun) -> Steps:
    """There is nothing to focus on here; neighbouring fields may tell, if they may be asked."""
    if run.guard.drive.moves and not run.stands_at_start:
        run.end("reverted", f"The frame after the move shows no content to judge it by. {_sentences(run)}")
    elif run.config.neighbours:
        yield from look_around(run)
    else:
        run.end("skipped_no_content", _sentences(run), stay=True)


def _rest(run: RefocusRun) -> Steps:
    """The newest frame is in focus: no move was needed, or one that led here by another way than a correction."""
    value, dof_um = run.estimate.defocus_um or 0.0, run.dof_um
    if run.guard.drive.moves == 0 or (run.by_pair and run.stands_at_start):
        run.end(
            "already_in_focus", f"The defocus is {value:+.2f} µm ({value / dof_um:+.2f} depths of field).", stay=True
        )
    else:
        yield from _judge(run, run.base)


def _scan(run: RefocusRun) -> Steps:
    """Scan an uneven field; where it turns out even at the best plane, what is left is corrected as anywhere else."""
    base = run.newest
    share = yield from scan_field(run)
    if share is None:
        return
    if run.estimate.trusted:
        yield from _judge(run, base)
    else:
        yield from judge_scan(run, base, share)


def _correct(run: RefocusRun) -> Steps:
    """Move by the newest estimate and verify what is there; as often as the settings allow."""
    if wants_below(run):
        above = yield from look_from_below(run)
        if why := contradicts(run, above):
            yield from give_up(run, "reverted", why)
        return
    base, target_um = run.newest, run.target_um()
    run.require_near(target_um)
    run.corrections += 1
    yield from see(run, "verify", target_um)
    yield from _judge(run, base)


def _judge(run: RefocusRun, base: Look) -> Steps:
    """Accept the place where the newest frame was taken, leave it to one more correction, or give it up."""
    if may_hide_in_focus(run):
        yield from look_beside(run)
        return
    if run.estimate.verdict == "unsure":
        settle_side(run)
    why = doubt(run, base)
    if why and may_be_play(run, base):
        run.guard.reasons.append(f"{why} The drive may have had play in it; correcting once more.")
        return
    if why:
        yield from give_up(run, "reverted", why)
        return
    value, is_last = run.estimate.defocus_um or 0.0, run.corrections >= run.config.most_corrections
    if run.is_in_focus() or (is_last and abs(value) <= run.dof_um / 2):
        if blurred := blurred_since_start(run):
            yield from give_up(run, "reverted", blurred)
            return
        left = f"{value:+.2f} µm ({value / run.dof_um:+.2f} depths of field)"
        run.end("focused", f"Verified: {left} are left.", stay=True)
    elif is_last:
        why = f"After {run.corrections} corrections {value:+.2f} µm are left; the drive may be unsteady."
        yield from give_up(run, "reverted", why)
    else:
        before = base.estimate.defocus_um if base.estimate else None
        if before is None or abs(value) < abs(before):  # a place that is no nearer is none to come back to
            run.guard.home_um = run.newest.z_um
        if run.estimate.verdict == "unsure":  # near focus, sharper than before: its side is the better guess
            yield from _correct(run)


def _sentences(run: RefocusRun) -> str:
    return " ".join(run.estimate.reasons)
