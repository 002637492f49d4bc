"""Whether to believe what a refocus has done: its estimates against each other, and the pictures against the model."""

from __future__ import annotations

import numpy as np

from napari_autofocus.focus.blur_order import blur_order, sharpness_means_focus
from napari_autofocus.focus.transparent import is_for_transparent
from napari_autofocus.routines.refocusing.run import Look, RefocusRun

CONTRADICTION_DOF = 2.0
"""A verifying shot that differs from what the move should have left by more than this many depths of field …"""
CONTRADICTION_SHARE = 0.5
"""… and by more than this share of the way contradicts the model's own first answer."""


def doubt(run: RefocusRun, base: Look) -> str:
    """Why the newest frame does not prove that the move from ``base`` was right; empty where it does."""
    before, after = _trusted_um(base), run.estimate.defocus_um
    if before is not None and after is not None:
        if went_away := _went_away(run, base, before, after):
            return went_away
        if abs(after) > abs(before) + run.accept_um:
            return f"It became worse: the defocus was {before:+.2f} µm before the move and is {after:+.2f} µm now."
    if after is None or not can_be_judged(run):
        verdict = run.estimate.verdict.replace("_", " ")
        return f"The frame after the move cannot be judged ({verdict}), so the move is not verified."
    return "" if before is None else _contradiction(run, before + _way(run, base), after, abs(before))


def contradicts(run: RefocusRun, base: Look) -> str:
    """How the newest estimate contradicts the one that led here from ``base``; empty where it does not."""
    before, after = _trusted_um(base), run.estimate.defocus_um
    if before is None or after is None or not run.estimate.trusted:
        return ""
    way = _way(run, base)
    return _went_away(run, base, before, after) or _contradiction(run, before + way, after, abs(way))


def _way(run: RefocusRun, base: Look) -> float:
    """By how much the move from ``base`` has changed the defocus, µm."""
    return run.direction * (run.newest.z_um - base.z_um)


def _went_away(run: RefocusRun, base: Look, before: float, after: float) -> str:
    way = _way(run, base)
    if abs(way) <= run.dof_um or abs(after - (before - way)) > CONTRADICTION_SHARE * abs(way):
        return ""
    return (
        f"The defocus went from {before:+.2f} to {after:+.2f} µm, away from focus by as much as it should have come"
        " nearer: either the focus direction stated for this drive is wrong, or the model is for other optics."
    )


def _contradiction(run: RefocusRun, expected: float, found: float, way: float) -> str:
    if abs(found - expected) <= max(CONTRADICTION_DOF * run.dof_um, CONTRADICTION_SHARE * way):
        return ""
    return (
        f"The two estimates contradict each other: the move should have left {expected:+.2f} µm, and the model says"
        f" {found:+.2f} µm; it may not fit this microscope: check the optics, or train it on stacks of it."
    )


def may_be_play(run: RefocusRun, base: Look) -> bool:
    """Whether a short move may have been eaten by play that nobody had taken up: the next one will not be.

    Somebody who turned a drive by hand leaves its play on the wrong side; after our own approach it is taken up.
    """
    trusted = base.estimate is not None and base.estimate.trusted and run.estimate.trusted
    return trusted and not run.by_pair and len(run.looks) == 2 and abs(run.newest.z_um - base.z_um) <= run.dof_um


def can_be_judged(run: RefocusRun) -> bool:
    """Whether the newest estimate may verify a move.

    Within a depth of field the model may be unsure on which side of focus a frame lies and yet know that it is
    near; then the pictures have to agree that it became sharper. Of a transparent specimen pictures tell nothing, and
    in focus it shows next to nothing: there the model's own nearness has to do, after a move that it was sure of.
    """
    estimate = run.estimate
    if estimate.verdict != "unsure":
        return estimate.verdict in ("flat", "tilted", "uneven")
    numbers = estimate.defocus_um, estimate.uncertainty_um
    near = all(value is not None and abs(value) <= run.dof_um for value in numbers)
    if is_for_transparent(run.card):
        return near and _trusted_um(run.base) is not None
    return near and sharper_than_start(run) is True


def blurred_since_start(run: RefocusRun) -> str:
    """That the newest frame is a blurred copy of the first one, where that means anything; empty if not."""
    if sharper_than_start(run) is not False:
        return ""
    return (
        "The frame after the move is a blurred copy of the one before it, although the model says that it is in"
        " focus; the model may not fit this microscope: check the optics, or train it on stacks of it."
    )


def sharper_than_start(run: RefocusRun) -> bool | None:
    """Whether the newest frame is sharper than the first one by the pictures; None where they do not tell."""
    first, newest = next(look for look in run.looks if look.estimate is not None), run.newest
    if run.config.sharpness == "never" or is_for_transparent(run.card):
        return None
    if first.frame.image.shape != newest.frame.image.shape:
        return None
    read = (first.estimate.chosen_patches if first.estimate else ()) or run.estimate.chosen_patches
    where = np.zeros(first.frame.image.shape[:2], bool)
    for patch in read:
        where[patch.y : patch.y + patch.size, patch.x : patch.x + patch.size] = True
    if not where.any() or not all(sharpness_means_focus(look.frame.image, where) for look in (first, newest)):
        return None
    order = blur_order(first.frame.image, newest.frame.image, where)
    return True if order.is_sharper else False if order.is_blurrier else None


def _trusted_um(look: Look) -> float | None:
    """Defocus that a look has read, µm; None where it is not to be trusted."""
    return look.estimate.defocus_um if look.estimate is not None and look.estimate.trusted else None
