"""The figures of a calibration's report: answers against truth, errors by defocus and by content, live runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_autofocus.models.evaluation import Evaluation, FieldResult
from napari_autofocus.workflows.calibration.record import CalibrationRecord, Proof
from napari_autofocus.workflows.calibration.verdict import SAME_DOF
from napari_autofocus.workflows.reports.evaluation_panels import by_true_defocus
from napari_autofocus.workflows.reports.svg_plots import Plot

BEFORE, AFTER = "--before", "--after"
CONTENTS = ("dense", "sparse", "extremely-sparse")


def figures_of(record: CalibrationRecord) -> list[str]:
    """All figures as SVG, in the order of the page; without a model before, those of the calibrated one alone."""
    taught = record.taught
    assert taught is not None
    drawn = [] if record.before is None else [scatter(record.before, f"Before: {record.before.model}", BEFORE)]
    drawn.append(scatter(taught.held_out, f"After: {taught.name}", AFTER))
    drawn += [error_by_defocus(taught.held_out, record.before), error_by_content(taught.held_out, record.before)]
    return [*drawn, proofs_figure(record.proofs, record.plan.dof_um)] if record.proofs else drawn


def scatter(evaluation: Evaluation, title: str, colour: str) -> str:
    """Estimated against true defocus, both axes alike; hollow: refused."""
    reach, half = 1.08 * evaluation.range_um, evaluation.dof_um / 2
    plot = Plot(title, "true defocus, µm", "estimated defocus, µm", (-reach, reach), (-reach, reach), height=400)
    ends = ((-reach, -reach - half), (reach, reach - half), (reach, reach + half), (-reach, -reach + half))
    plot.band(ends)
    plot.line([(-reach, 0), (reach, 0)])
    plot.line([(0, -reach), (0, reach)])
    answered = [each for each in evaluation.results if not each.refused]
    guesses = [each for each in evaluation.results if each.refused and each.estimate_um is not None]
    plot.dots(_points(guesses, reach), "--faint", hollow=True, opacity=0.8)
    plot.dots(_points(answered, reach), colour, radius=_radius(len(evaluation.results)))
    missing = len(evaluation.results) - len(answered) - len(guesses)
    if missing:
        plot.note(-0.95 * reach, 0.9 * reach, f"{missing} frames without a number")
    return plot.svg()


def _radius(count: int) -> float:
    """Of a dot, px: smaller where there are many."""
    return float(np.clip(40 / max(count, 1) ** 0.5, 2.0, 4.0))


def _points(results: Sequence[FieldResult], reach: float) -> list[tuple[float, float]]:
    """What lies beyond the axes is drawn at their edge."""
    return [(each.true_um, float(np.clip(each.estimate_um or 0.0, -reach, reach))) for each in results]


def error_by_defocus(after: Evaluation, before: Evaluation | None) -> str:
    """Median error in ten bins of true defocus, before and after, against half a depth of field."""
    curves = [(AFTER, _medians(after)), *([(BEFORE, _medians(before))] if before is not None else [])]
    highest = max([after.dof_um, *(error for _, points in curves for _, error in points)])
    plot = Plot(
        "Median error by defocus",
        "true defocus, µm",
        "absolute error, µm",
        (-after.range_um, after.range_um),
        (0, 1.1 * highest),
    )
    _mark_half(plot, [(-after.range_um, after.dof_um / 2), (after.range_um, after.dof_um / 2)])
    plot.note(-0.97 * after.range_um, after.dof_um / 2 + 0.025 * highest, "half a depth of field")
    for colour, points in curves[::-1]:
        plot.line(points, colour, width=2)
        plot.dots(points, colour, radius=3.2, opacity=1)
    return plot.svg()


def _medians(evaluation: Evaluation) -> list[tuple[float, float]]:
    edges, bins = by_true_defocus(evaluation, [each for each in evaluation.results if each.error_um is not None])
    middles = (edges[:-1] + edges[1:]) / 2
    return [
        (float(middle), float(np.median([abs(each.error_um or 0.0) for each in members])))
        for middle, members in zip(middles, bins, strict=True)
        if members
    ]


def error_by_content(after: Evaluation, before: Evaluation | None) -> str:
    """Mean error by how much content the fields hold, before and after."""
    found = [name for name in CONTENTS if any(each.density == name for each in after.results)] or ["unknown"]
    rows = [f"{name.replace('-', ' ')}" for name in found]
    series = [(AFTER, after), *([(BEFORE, before)] if before is not None else [])]
    means = {colour: [_mean_error(each, name) for name in found] for colour, each in series}
    highest = max([after.dof_um, *(value for values in means.values() for value in values if value is not None)])
    plot = Plot(
        "Mean error by content of the field",
        "absolute error, µm",
        "",
        (0, 1.1 * highest),
        (0, 1),
        rows=rows,
        height=120 + 55 * len(rows),
    )
    _mark_half(plot, [(after.dof_um / 2, -0.6), (after.dof_um / 2, len(rows) - 0.4)])
    for place, (colour, values) in enumerate(means.items()):
        points = [(value, row + 0.2 * place) for row, value in enumerate(values) if value is not None]
        for value, row in points:
            plot.line([(0, row), (value, row)], colour, width=3)
        plot.dots(points, colour, radius=4.5, opacity=1)
    return plot.svg()


def _mean_error(evaluation: Evaluation, density: str) -> float | None:
    members = [each for each in evaluation.results if (each.density or "unknown") == density]
    errors = [abs(each.error_um) for each in members if each.error_um is not None]
    return float(np.mean(errors)) if errors else None


def proofs_figure(proofs: Sequence[Proof], dof_um: float) -> str:
    """Each live run: true defocus at its start and at its end."""
    reach = 1.1 * max([dof_um, *(abs(value) for proof in proofs for value in (proof.start_um, proof.end_um))])
    plot = Plot(
        "Live runs: from start to end",
        "defocus by the sweep, µm",
        "",
        (-reach, reach),
        (0, 1),
        rows=[f"run {proof.number}" for proof in proofs],
        height=90 + 22 * len(proofs),
    )
    half, last = SAME_DOF * dof_um, len(proofs) - 0.4
    plot.band([(-half, -0.6), (half, -0.6), (half, last), (-half, last)])
    plot.line([(0, -0.6), (0, last)])
    for row, proof in enumerate(proofs):
        plot.line([(proof.start_um, row), (proof.end_um, row)], AFTER, width=1.6)
    plot.dots([(proof.start_um, row) for row, proof in enumerate(proofs)], AFTER, radius=3.6, opacity=1, hollow=True)
    for how, colour in (("in_focus", AFTER), ("missed", "--bad"), ("declined", "--faint")):
        ends = [(proof.end_um, row) for row, proof in enumerate(proofs) if proof.ended == how]
        plot.dots(ends, colour, radius=4.2, opacity=1)
    return plot.svg()


def _mark_half(plot: Plot, ends: list[tuple[float, float]]) -> None:
    """Half a depth of field as a dashed line."""
    plot.line(ends, "--faint", dashed=True)
