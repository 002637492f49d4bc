"""A page on how good a model is: what it said against the truth, and where its errors and refusals lie.

Drawn with matplotlib's figure objects, so that no window system and no global state is touched. Errors are those of
the frames with an answer; refusals are counted apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_autofocus.models.evaluation import Evaluation
from napari_autofocus.workflows.report import CURVE, DOUBTED, INK
from napari_autofocus.workflows.reports.estimate_layout import MUTED
from napari_autofocus.workflows.reports.evaluation_panels import (
    by_content,
    count,
    draw_answers_by_defocus,
    draw_error_by_defocus,
    draw_error_by_group,
    draw_legend,
    draw_residuals,
    draw_scatter,
    share_refused,
)
from napari_autofocus.workflows.reports.pictures import save_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE = "evaluation.png"
_SIZE_IN, _DPI = (16.0, 10.6), 100


def save_evaluation_report(evaluation: Evaluation, folder: Path, *, of: str = "") -> Path:
    """Draw an evaluation into ``evaluation.png``.

    Parameters
    ----------
    evaluation : Evaluation
        Every answer beside its truth.
    folder : Path
        Made if need be; a picture of the same name is replaced.
    of : str
        What the frames are, where a reader of the picture has to know it: simulated, disturbed.

    Returns
    -------
    Path
        Of the PNG.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    return save_png(draw_evaluation(evaluation, of=of), folder / PICTURE)


def draw_evaluation(evaluation: Evaluation, *, of: str = "") -> Figure:
    """The page as a matplotlib figure, 1600 px wide."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_IN, dpi=_DPI, facecolor="white")
    _write_heading(figure, evaluation, of)
    places = {"left": 0.055, "right": 0.98, "top": 0.765, "bottom": 0.1}
    grid = figure.add_gridspec(2, 3, width_ratios=(1.6, 1, 1), hspace=0.36, wspace=0.3, **places)
    left = grid[:, 0].subgridspec(2, 1, height_ratios=(3.4, 1), hspace=0.14)
    scatter = figure.add_subplot(left[0])
    draw_scatter(scatter, evaluation)
    residuals = figure.add_subplot(left[1], sharex=scatter)
    draw_residuals(residuals, evaluation)
    draw_legend(scatter, residuals)
    draw_error_by_defocus(figure.add_subplot(grid[0, 1]), evaluation)
    draw_answers_by_defocus(figure.add_subplot(grid[0, 2]), evaluation)
    by_density, by_stain = (figure.add_subplot(grid[1, column]) for column in (1, 2))
    draw_error_by_group(by_density, evaluation, evaluation.results, "density", lambda result: result.density)
    content = by_content(evaluation)[0]
    draw_error_by_group(by_stain, evaluation, content, "stain", lambda result: result.stain)
    return figure


def _write_heading(figure: Figure, evaluation: Evaluation, of: str) -> None:
    results = evaluation.results
    slides = len({result.slide for result in results})
    facts = (
        f"{count(len(results), 'frame')} of {count(slides, 'slide')} · depth of field {evaluation.dof_um:g} µm"
        f" · range ±{evaluation.range_um:g} µm{f' · {of}' if of else ''}"
    )
    figure.text(0.03, 0.95, f"Evaluation of {evaluation.model}", size=18, weight="bold", color=INK)
    figure.text(0.03, 0.922, facts, size=11.5, color=MUTED)
    if evaluation.warnings:
        more = f" (and {len(evaluation.warnings) - 1} more)" if len(evaluation.warnings) > 1 else ""
        warning = evaluation.warnings[0]
        short = warning if len(warning) <= 150 else f"{warning[:149]}…"
        figure.text(0.03, 0.897, f"Warning: {short}{more}", size=11, color=DOUBTED)
    for number, (value, name) in enumerate(key_figures(evaluation)):
        figure.text(0.03 + 0.162 * number, 0.843, value, size=20, weight="bold", color=CURVE)
        figure.text(0.03 + 0.162 * number, 0.822, name, size=10.5, color=MUTED)


def key_figures(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The six numbers that matter most, each with its name."""
    said = evaluation.figures()
    mae_um = said["mae_um"]
    content, empty = by_content(evaluation)
    name = f"refused ({_share(share_refused(empty))} of the empty)" if empty else "refused"
    return [
        ("none" if mae_um is None else f"{mae_um:.3f} µm", "mean absolute error"),
        (_share(said["within_half_dof"]), "within DOF/2"),
        (_share(said["within_dof"]), "within DOF"),
        (_share(said["direction_success"]), "direction right beyond DOF/2"),
        (_share(said["interval90_coverage"]), "inside the 90 % interval"),
        (_share(share_refused(content)), name),
    ]


def _share(value: float | None) -> str:
    if value is None:
        return "none"
    return "> 99.9 %" if 0.9995 <= value < 1 else f"{100 * value:.1f} %"
