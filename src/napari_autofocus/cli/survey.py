"""``napari-autofocus survey``: where a slide is in focus at many places, and a map through them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.fitting import fitting_model, real_sight, simulated_sight
from napari_autofocus.cli.parts.options import MICROSCOPE, AroundUm, LensFile
from napari_autofocus.cli.parts.output import DONE_IN_PART, reserved_stdout
from napari_autofocus.cli.parts.progress import Advance, progress_bar
from napari_autofocus.cli.parts.stand import SimulatedSlide, Stand, lens_of
from napari_autofocus.cli.parts.survey_stand import (
    Relief,
    ask_to_survey,
    leave_defocused,
    mirrored_of,
    optics_of,
    surveyed_microscope,
)
from napari_autofocus.cli.parts.survey_telling import Surveyed, require_outputs, tell_survey
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.models.predictor import ModelPredictor
    from napari_autofocus.routines.survey import Place, SurveyConfig, SurveyRecord, SurveyStep

POINTS = "Points"
METHOD = "Method"


def survey(
    *,
    points: Annotated[
        str | None,
        typer.Option(
            help="Columns x rows of points, as 16x16, spread over --area-mm around where the stage stands. 8x8 unless"
            " given.",
            rich_help_panel=POINTS,
        ),
    ] = None,
    area_mm: Annotated[
        str, typer.Option("--area-mm", help="Width x height of the area, in mm.", rich_help_panel=POINTS)
    ] = "10x10",
    positions: Annotated[
        Path | None,
        typer.Option(
            help="Places from a file instead: a Micro-Manager position list (.pos), .csv, a useq sequence"
            " (.yaml, .json), a focus map (.json) or OME metadata (.xml, .tif).",
            rich_help_panel=POINTS,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of a model of one shot, or its file; otherwise the one that fits objective, camera and sample.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Survey the same points by z-stacks as well (21 planes, Brenner), to compare. Takes its time.",
            rich_help_panel=METHOD,
        ),
    ] = False,
    nearby: Annotated[int, typer.Option(help="Fields to look at around an empty place.", rich_help_panel=METHOD)] = 4,
    surface: Annotated[
        str,
        typer.Option(help="auto, plane, spline or rbf: what is laid through the points.", rich_help_panel=METHOD),
    ] = "auto",
    mirrored: Annotated[
        str | None,
        typer.Option(
            help="How images lie to the stage: no, x (columns grow against x), y or xy. A point then lies where its"
            " content is; not known unless given, and then the field's centre stands. no when simulated.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    insist: Annotated[
        bool,
        typer.Option("--insist", help="Use the model although the optics are not its own.", rich_help_panel=METHOD),
    ] = False,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="File for the map (.json), or for positions with its z: .pos, .csv, .yaml, .xml. May be repeated."
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="JSON file that keeps the survey while it runs; one that is there is gone on with."),
    ] = None,
    stand: Stand,
    range_um: AroundUm = None,
    tunable_lens: LensFile = None,
    slide: SimulatedSlide,
    relief: Relief,
    as_json: Annotated[
        bool, typer.Option("--json", help='Print one JSON object: {"points": \\[...], "summary": {...}}.')
    ] = False,
) -> None:
    """Find where a slide is in focus: one shot a point, each taken from where its neighbours put the focus.

    Points that show nothing are looked for nearby and otherwise recorded as empty; what the model leaves unsure, and
    what contradicts its neighbours, is shot again. A survey on which too many points fail is refused with their share.
    Slide and drive end where they began, whatever happens. On the simulated microscope errors are against the true
    surface; seconds are those of its clock (XY at 20 mm/s and 200 mm/s², z settling 50 ms).

    Exit code 3: not every point with content has a focus, and why.

    Examples:

        napari-autofocus survey --points 16x16 --area-mm 10x10 --empty 0.2 --out map.json
        napari-autofocus survey --microscope MMConfig.cfg --points 8x6 --area-mm 12x8 --objective 20x/0.75 --range-um 60
    """
    from napari_autofocus.models.predictor import load_model

    with reserved_stdout(as_json):
        require_outputs(out or [], record)
        stand = replace(stand, around_um=range_um, lens=tunable_lens)
        if model is None and stand.is_simulated:
            model = fitting_model(simulated_sight(stand, slide.stain, slide.camera))
        predictor = None if model is None else load_model(model)
        lens = lens_of(stand, None if predictor is None else predictor.card.optics)
        settings = {
            "optics": optics_of(lens),
            "insist": insist,
            "focus_direction": stand.focus_direction or 0,
            "nearby": nearby,
            "surface": surface,
            "mirrored": mirrored_of(mirrored, stand),
        }
        with surveyed_microscope(stand, slide, relief, lens) as (seen, truth):
            stages = seen.core.getXYStageDevice(), seen.focus.label
            places = _grid(seen, area_mm, points) if positions is None else _listed(positions, stages, insist=insist)
            ask_to_survey(seen, places, stand)
            if predictor is None:
                predictor = load_model(fitting_model(real_sight(seen, optics_of(lens))))
            config = _config(predictor, settings)
            if truth is not None:
                leave_defocused(seen, truth, places[0], stand.seed)
            taken = _take(seen, predictor, config, places, record)
            stacks = _stacks(seen, taken, places) if compare else None
        surveyed = Surveyed(taken, truth, surface, stages, stacks)
        tell_survey(surveyed, out or [], as_json)
    if taken.outcome != "done":
        raise typer.Exit(DONE_IN_PART)


def _config(predictor: ModelPredictor, settings: dict[str, Any]) -> SurveyConfig:
    """What was asked for; a sweep over the model's range helps at the first point."""
    from napari_autofocus.routines.survey import SurveyConfig
    from napari_autofocus.routines.sweep_config import SweepConfig

    card = predictor.card
    return SurveyConfig(sweep=SweepConfig(dof_um=card.dof_um, range_um=card.range_um), **settings)


def _grid(microscope: CoreMicroscope, area_mm: str, points: str | None) -> list[Place]:
    """A grid around where the stage stands."""
    from napari_autofocus.workflows.survey_places import grid_over

    return grid_over(microscope.xy_um(), area_mm, points or "8x8")


def _listed(positions: Path, stages: tuple[str, str], *, insist: bool) -> list[Place]:
    """The places of a file."""
    from napari_autofocus.workflows.survey_places import places_in

    return places_in(positions, stages, insist=insist)


def _take(
    microscope: CoreMicroscope,
    predictor: ModelPredictor,
    config: SurveyConfig,
    places: list[Place],
    record: Path | None,
) -> SurveyRecord:
    from napari_autofocus.workflows.survey import survey_slide

    steps = survey_slide(microscope, predictor, config, places, path=record)
    with progress_bar("surveying") as advance:
        return run_to_end(steps, lambda step: _follow(step, advance))


def _stacks(microscope: CoreMicroscope, taken: SurveyRecord, places: list[Place]) -> SurveyRecord:
    """The same places by z-stacks, from the first focus that was found."""
    from napari_autofocus.microscope.protocol import walk_to
    from napari_autofocus.routines.survey import survey_by_sweep
    from napari_autofocus.workflows.survey import stack_survey_config

    known = next((point.z_um for point in taken.points if point.z_um is not None), None)
    start_um = microscope.focus.position_um()
    if known is not None:
        walk_to(microscope.focus, known)
    steps = survey_by_sweep(microscope, stack_survey_config(taken.dof_um or 1.0), places)
    try:
        with progress_bar("z-stacks") as advance:
            return run_to_end(steps, lambda step: _follow(step, advance))
    finally:
        walk_to(microscope.focus, start_um)


def _follow(step: SurveyStep, advance: Advance) -> None:
    what = step.phase if step.point is None else step.point.outcome.replace("_", " ")
    advance(step.done, step.total, f"place {step.number + 1}: {what}")
