"""What is told of a survey at the shell, and the files that keep its map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_autofocus.cli.parts.output import print_json, say
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.routines.survey import SurveyRecord
    from napari_autofocus.slide.focus_map import FocusMap, FocusPoint
    from napari_autofocus.workflows.reports.survey_figures import TrueSurface

KINDS = (".json", ".pos", ".csv", ".yaml", ".yml", ".xml")
MOST_REASONS = 5
"""Reasons of single points that are printed; the JSON object has them all."""


@dataclass(frozen=True)
class Surveyed:
    """A survey with what is known besides: the true surface, the stages, and the survey by z-stacks beside it."""

    record: SurveyRecord
    truth: TrueSurface | None
    surface: str
    stages: tuple[str, str]
    stacks: SurveyRecord | None = None


def require_outputs(out: Sequence[Path], record: Path | None) -> None:
    """Raise InputError before anything moves if a file could not be written."""
    for path in (*out, *([record] if record is not None else [])):
        if path.is_dir() or not path.parent.is_dir():
            raise InputError(f"{path} cannot be written; name a file in a folder that exists.")
    for path in out:
        if path.suffix.lower() not in KINDS:
            raise InputError(f"A map is written as {', '.join(KINDS)}; found {path.name}.")


def tell_survey(surveyed: Surveyed, out: Sequence[Path], as_json: bool) -> None:
    """Write the map, and print the survey as JSON or in words."""
    from napari_autofocus.workflows.reports.survey_figures import compare_surveys, summarise_survey

    record = surveyed.record
    surface = _surface(surveyed, out)
    written = [] if surface is None else _write(surface, out, surveyed.stages)
    summary = summarise_survey(record, surface, surveyed.truth)
    told: dict[str, Any] = {
        "points": [_described(point, surveyed.truth) for point in record.points],
        "summary": {**summary, "reasons": record.reasons, "warnings": record.warnings, "model": record.model},
        "written": written,
    }
    if surveyed.stacks is not None:
        told["compared"] = {
            **compare_surveys(record, surveyed.stacks),
            "stacks": summarise_survey(surveyed.stacks, _map(surveyed.stacks), surveyed.truth),
        }
    if as_json:
        print_json(told)
    else:
        _say(record, told)


def _map(record: SurveyRecord) -> FocusMap | None:
    from napari_autofocus.workflows.reports.survey_figures import map_of

    return map_of(record)


def _surface(surveyed: Surveyed, out: Sequence[Path]) -> FocusMap | None:
    """The map; None, with a word, where there is none."""
    try:
        return surveyed.record.focus_map(surveyed.surface)  # type: ignore[arg-type]  # checked by the settings
    except InputError as error:
        if out or surveyed.record.points:
            say(str(error))
        return None


def _write(surface: FocusMap, out: Sequence[Path], stages: tuple[str, str]) -> list[str]:
    from napari_autofocus.workflows.survey_places import write_map

    for path in out:
        write_map(path, surface, stages)
    return [str(path) for path in out]


def _described(point: FocusPoint, truth: TrueSurface | None) -> dict[str, Any]:
    return {**asdict(point), "true_z_um": None if truth is None else truth(point.x_um, point.y_um)}


def _say(record: SurveyRecord, told: dict[str, Any]) -> None:
    summary = told["summary"]
    for reason in record.reasons:
        say(reason)
    lost = [point for point in record.points if point.outcome in ("refused", "failed", "out_of_reach")]
    for point in lost[:MOST_REASONS]:
        say(f"({point.x_um:.0f}, {point.y_um:.0f}) µm {point.outcome.replace('_', ' ')}: {point.reason}")
    if len(lost) > MOST_REASONS:
        say(f"{len(lost) - MOST_REASONS} more; --json tells them all.")
    for warning in record.warnings:
        say(f"Warning: {warning}")
    counts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in record.outcomes.items())
    typer.echo(f"{summary['places']} places: {counts}. {record.exposures} exposures, {record.seconds:.1f} s.")
    if summary["surface"] is not None:
        (x, y), errors = summary["tilt_um_per_mm"], summary["tilt_error_um_per_mm"]
        by_x, by_y = ("", "") if errors is None else (f" ± {one:.2f}" for one in errors)
        left_out = summary["left_out_um"]
        error = "" if left_out is None else f"; it misses a point that is left out by {left_out:.2f} µm"
        typer.echo(
            f"Surface: {summary['surface']}, tilt {x:+.2f}{by_x} µm/mm along x and {y:+.2f}{by_y} along y{error}."
        )
    if summary["mae_um"] is not None:
        between = "–" if summary["between_um"] is None else f"{summary['between_um']:.2f}"
        typer.echo(
            f"True error: {summary['mae_um']:.2f} ± {summary['sd_um']:.2f} µm on points, {between} µm between them."
        )
    if (beside := told.get("compared")) is not None:
        apart = beside["difference_um"]
        cost = f"{beside['time_ratio']:.0%} of the time, {beside['exposures_ratio']:.0%} of the exposures"
        lie = "" if apart is None else f"; their points lie {apart:.2f} µm apart"
        typer.echo(f"Against z-stacks: {cost}{lie}.")
    for path in told["written"]:
        typer.echo(path)
