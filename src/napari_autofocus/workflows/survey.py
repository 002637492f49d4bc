"""Survey a slide with its record kept in a file: broken off, killed or cancelled, the same call goes on with it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.files import remove_unfinished, replacing
from napari_autofocus.focus.estimate import FocusPredictor
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.optics import Objective
from napari_autofocus.routines.survey import SurveyConfig, SurveyRecord, SurveyStep, SweepSurveyConfig, survey
from napari_autofocus.routines.survey_config import Place
from napari_autofocus.slide.focus_map import FocusPoint
from napari_autofocus.steps import relay

__all__ = ["SurveyStep", "read_record", "stack_survey_config", "survey_slide", "write_record"]

WRITTEN_EVERY = 8
"""Points after which the record under way is written."""
_UNDER_WAY = "It ended while it was under way."


def survey_slide(
    microscope: Microscope,
    predictor: FocusPredictor,
    config: SurveyConfig,
    places: Sequence[Place],
    *,
    path: Path | None = None,
    keep: Callable[[SurveyRecord], None] | None = None,
) -> Generator[SurveyStep, None, SurveyRecord]:
    """Survey the places that a file does not know yet.

    Parameters
    ----------
    microscope, predictor, config, places, keep
        As for :func:`~napari_autofocus.routines.survey.survey`.
    path : Path, optional
        JSON file of the record; made, and gone on with if it is there. None keeps nothing.

    Yields
    ------
    SurveyStep
        After each frame and each point.

    Returns
    -------
    SurveyRecord
        Points of earlier runs included.

    Raises
    ------
    InputError
        If the file holds another survey, cannot be read or cannot be written, or the model refuses the frames.
    HardwareError
        If not even the positions at the start can be read. Nothing has moved.
    """
    earlier = None if path is None else _to_go_on_with(path, predictor, places)
    book = _Book(path, predictor, places, earlier)
    steps = survey(microscope, predictor, config, places, keep=book.end(keep), earlier=earlier)

    def entered(step: SurveyStep) -> SurveyStep:
        book.enter(step)
        return step

    return (yield from relay(steps, entered))


def stack_survey_config(dof_um: float, objective: Objective | None = None) -> SweepSurveyConfig:
    """The z-stack survey that a model is compared with: 21 planes, one depth of field apart."""
    depth_um = dof_um if objective is None else objective.dof_um
    return SweepSurveyConfig(planes=21, step_um=depth_um, dof_um=depth_um)


def read_record(path: Path) -> SurveyRecord | None:
    """The record in a file; None where there is no file. Raises InputError if it holds something else."""
    if not path.exists():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as the record of a survey ({error}).") from error
    try:
        return SurveyRecord.from_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error} Name another file for the record.") from error


def write_record(path: Path, record: SurveyRecord) -> None:
    """Put a record into a file, whole or not at all. Raises InputError if it cannot be written."""
    with replacing(path) as part:
        part.write_text(record.to_json() + "\n", encoding="utf-8")


def _to_go_on_with(path: Path, predictor: FocusPredictor, places: Sequence[Place]) -> SurveyRecord | None:
    remove_unfinished(path)
    earlier = read_record(path)
    if earlier is None:
        return None
    if earlier.fingerprint != predictor.fingerprint:
        raise InputError(
            f"The survey in {path} was begun with the model {earlier.model or '(none)'}; go on with that one, or name"
            " another file."
        )
    if earlier.places != tuple((float(x_um), float(y_um)) for x_um, y_um in places):
        raise InputError(
            f"The survey in {path} has {len(earlier.places)} other places than the {len(places)} asked for; repeat what"
            " it was begun with, or name another file."
        )
    return earlier


class _Book:
    """The file of a survey, kept up to date while it runs."""

    def __init__(
        self, path: Path | None, predictor: FocusPredictor, places: Sequence[Place], earlier: SurveyRecord | None
    ) -> None:
        self._path, self._predictor, self._places = path, predictor, tuple(places)
        self._points: dict[int, FocusPoint] = {}
        if earlier is not None:
            self._points = dict(zip(earlier.numbers, earlier.points, strict=True))

    def enter(self, step: SurveyStep) -> None:
        """Note a settled point."""
        if step.point is None or self._path is None:
            return
        self._points[step.number] = step.point
        if len(self._points) % WRITTEN_EVERY == 0:
            write_record(self._path, self._under_way())

    def end(self, keep: Callable[[SurveyRecord], None] | None) -> Callable[[SurveyRecord], None]:
        """What to do with the record of the run."""

        def kept(record: SurveyRecord) -> None:
            if self._path is not None and record.points:
                write_record(self._path, record)
            if keep is not None:
                keep(record)

        return kept

    def _under_way(self) -> SurveyRecord:
        numbers = tuple(sorted(self._points))
        return SurveyRecord(
            method="one-shot",
            outcome="cancelled",
            reasons=(_UNDER_WAY,),
            places=self._places,
            numbers=numbers,
            points=tuple(self._points[number] for number in numbers),
            exposures=0,
            moves=0,
            seconds=0.0,
            start_um=0.0,
            end_um=0.0,
            model=self._predictor.name,
            fingerprint=self._predictor.fingerprint,
        )
