"""What focuses a field during an acquisition: a model of one shot or of two, or a classical search."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, PairPredictor, refocus_z_um
from napari_autofocus.focus.shot_pairs import takes_two_shots
from napari_autofocus.microscope.protocol import Frame, Microscope
from napari_autofocus.records import FocusRecord, RefocusRecord, Shot, SweepRecord
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.routines.running.looking import estimate_frame
from napari_autofocus.routines.sweep import sweep
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.routines.two_shot import refocus_by_pair

FOUND = ("focused", "already_in_focus")
TRUSTED = ("flat", "tilted")
SAME_PLACE_UM = 0.2
MOVED_UM = 1e-3


@dataclass(frozen=True, eq=False)
class MdaFinder:
    """What focuses a field; made by :func:`model_finder` or :func:`sweep_finder`.

    Parameters
    ----------
    name, fingerprint : str
        Model and its SHA-256, or the method of a sweep and nothing.
    find : callable
        Makes a run that focuses the field under the objective.
    look : callable or None
        Reads one frame without moving anything; None where one frame does not tell.
    """

    name: str
    fingerprint: str
    find: Callable[[Microscope], Generator[Any, None, FocusRecord]]
    look: Callable[[Frame], FocusEstimate] | None = None


def model_finder(
    predictor: FocusPredictor | PairPredictor, config: RefocusConfig, *, pair: PairPredictor | None = None
) -> MdaFinder:
    """Focus by a model.

    Parameters
    ----------
    predictor : FocusPredictor or PairPredictor
        A model of one shot or of two.
    config : RefocusConfig
        How to go about it: its optics, whether to insist, neighbouring fields, a sweep that helps.
    pair : PairPredictor, optional
        Reads two shots where the model of one is unsure.
    """
    if takes_two_shots(predictor):
        two: Any = predictor
        return MdaFinder(two.name, two.fingerprint, lambda microscope: refocus_by_pair(microscope, two, config))
    one: Any = predictor

    def look(frame: Frame) -> FocusEstimate:
        return estimate_frame(frame, one, optics=config.optics, insist=config.insist, region=config.region)

    return MdaFinder(
        one.name, one.fingerprint, lambda microscope: refocus(microscope, one, config, pair=pair), look=look
    )


def sweep_finder(config: SweepConfig) -> MdaFinder:
    """Focus by a classical search around where the drive stands."""
    return MdaFinder(f"sweep {config.method}", "", lambda microscope: sweep(microscope, config))


def best_z_um(record: FocusRecord) -> float | None:
    """Where a focusing run found best focus, µm of drive position; None where it found none.

    The last frame of a refocus also tells how much is left, which is too little to move for and not too little for the
    planes of a stack.
    """
    if record.outcome not in FOUND:
        return None
    if isinstance(record, SweepRecord):
        return record.best_z_um
    if (shot := _last_told(record)) is None or shot.defocus_um is None:
        return record.end_um
    return refocus_z_um(shot.z_um, shot.defocus_um, record.focus_direction)


def residual_um(record: FocusRecord) -> float | None:
    """Estimated defocus where a run left the drive, µm; None where nothing was read there."""
    shot = None if isinstance(record, SweepRecord) else _last_told(record)
    return None if shot is None else shot.defocus_um


def _last_told(record: RefocusRecord) -> Shot | None:
    """The last shot with an estimate to trust, if the drive rests where it was taken."""
    told = (shot for shot in reversed(record.shots) if shot.verdict in TRUSTED and shot.defocus_um is not None)
    shot = next(told, None)
    if shot is None or record.focus_direction == 0 or abs(shot.z_um - record.end_um) > SAME_PLACE_UM:
        return None
    return shot if abs(shot.defocus_um or 0.0) <= record.dof_um / 2 else None


def neighbours_z_um(record: FocusRecord) -> float | None:
    """Where neighbouring fields put the focus of a field without content, µm; None where nobody asked them."""
    if isinstance(record, SweepRecord) or record.outcome != "skipped_no_content":
        return None
    return record.end_um if abs(record.end_um - record.start_um) > MOVED_UM else None
