"""The plots of an evaluation page, each on axes of its own. The page itself is in ``evaluation.py``.

Errors are those of the frames with an answer; refusals are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.models.evaluation import Evaluation, FieldResult
from napari_autofocus.workflows.report import CURVE, DOUBTED, FAINT, INK
from napari_autofocus.workflows.reports.estimate_layout import MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUP_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8f98")  # Okabe and Ito's
BAND, REFUSED = "#e3e6ea", "#c9cdd3"
DENSITIES = ("dense", "sparse", "extremely-sparse", "empty")
DOTS: dict[str, Any] = {"alpha": 0.55, "lw": 0}
_BINS = 10

FloatArray = npt.NDArray[np.float64]
Key = Callable[[FieldResult], str | None]


def draw_scatter(axes: Axes, evaluation: Evaluation) -> None:
    """Estimated against true defocus: answers by their density, refusals that had a guess as grey crosses."""
    told = [result for result in evaluation.results if result.estimate_um is not None]
    reach = 1.05 * _reach_um(evaluation, told)
    half = evaluation.dof_um / 2
    axes.fill_between([-reach, reach], [-reach - half, reach - half], [-reach + half, reach + half], color=BAND, lw=0)
    axes.axhline(0, color=REFUSED, lw=0.8, zorder=1)
    axes.axvline(0, color=REFUSED, lw=0.8, zorder=1)
    for name, colour, members in _answered(evaluation):
        axes.scatter(_true(members), _estimates(members), s=_dot(told), color=colour, label=name, zorder=3, **DOTS)
    refused = [result for result in told if result.refused]
    if refused:
        style: dict[str, Any] = {"marker": "x", "color": FAINT, "lw": 0.9, "label": "refused: best guess"}
        axes.scatter(_true(refused), _estimates(refused), s=18, zorder=2, **style)
    _style(axes, "Estimated against true defocus", "", "estimated defocus, µm")
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.tick_params(labelbottom=False)
    if not told:
        _say(axes, "no frame was answered")


def draw_residuals(axes: Axes, evaluation: Evaluation) -> None:
    """Signed error against true defocus, on a scale that shows what the diagonal hides."""
    answered = [result for result in evaluation.results if not result.refused]
    axes.axhspan(-evaluation.dof_um / 2, evaluation.dof_um / 2, color=BAND, lw=0)
    axes.axhline(0, color=REFUSED, lw=0.8)
    for _, colour, members in _answered(evaluation):
        errors = np.subtract(_estimates(members), _true(members))
        axes.scatter(_true(members), errors, s=_dot(answered), color=colour, zorder=3, **DOTS)
    sizes = _errors(answered)
    limit = max(evaluation.dof_um, 1.2 * float(np.percentile(sizes, 99)) if sizes.size else 0.0)
    _style(axes, "", "true defocus, µm (grey: ± DOF/2)", "error, µm")
    axes.set(ylim=(-limit, limit))
    beyond = int((sizes > limit).sum())
    if beyond:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}
        words = f"{beyond} beyond"
        axes.text(0.995, 0.95, words, transform=axes.transAxes, ha="right", va="top", size=9, color=MUTED, bbox=box)


def draw_legend(scatter: Axes, residuals: Axes) -> None:
    """What the dots of both mean, below them, in dots large enough to tell their colours."""
    handles, labels = scatter.get_legend_handles_labels()
    if not handles:
        return
    style: dict[str, Any] = {"frameon": False, "fontsize": 10, "ncols": 4, "columnspacing": 1.2, "handletextpad": 0.2}
    legend = residuals.legend(handles, labels, loc="upper left", bbox_to_anchor=(-0.01, -0.3), **style)
    for handle in legend.legend_handles:
        handle.set_sizes([34])  # type: ignore[union-attr]


def _answered(evaluation: Evaluation) -> list[tuple[str, str, list[FieldResult]]]:
    """Name, colour and frames of each density that was answered."""
    groups = _groups([result for result in evaluation.results if not result.refused], lambda result: result.density)
    names = ["answered" if name == "unknown" else name for name in groups]
    return list(zip(names, _colours(len(groups)), groups.values(), strict=True))


def _true(results: Sequence[FieldResult]) -> list[float]:
    return [result.true_um for result in results]


def _estimates(results: Sequence[FieldResult]) -> list[float]:
    return [result.estimate_um or 0.0 for result in results]


def _reach_um(evaluation: Evaluation, results: Sequence[FieldResult]) -> float:
    """Largest defocus in sight: every truth, and estimates up to half as far again as the model's range, µm."""
    range_um = evaluation.range_um
    seen = [max(abs(r.true_um), min(abs(r.estimate_um or 0.0), 1.5 * range_um)) for r in results]
    return max([range_um, *seen])


def _dot(results: Sequence[FieldResult]) -> float:
    """Area of a dot, in square points: smaller where there are many."""
    return float(np.clip(9000 / max(len(results), 1), 4, 26))


def _colours(count: int) -> list[str]:
    return [GROUP_COLOURS[index % len(GROUP_COLOURS)] for index in range(count)]


def draw_error_by_defocus(axes: Axes, evaluation: Evaluation) -> None:
    edges, bins = by_true_defocus(evaluation, evaluation.results)
    errors = [_errors(members) for members in bins]
    middles, filled = (edges[:-1] + edges[1:]) / 2, [error.size > 0 for error in errors]
    for percentile, colour, name in ((90, DOUBTED, "90th percentile"), (50, CURVE, "median")):
        values = [float(np.percentile(error, percentile)) for error in errors if error.size]
        axes.plot(middles[filled], values, "o-", color=colour, ms=5, lw=1.6, label=name)
    axes.axhline(evaluation.dof_um / 2, color=FAINT, lw=1, ls=(0, (4, 3)), label="DOF/2")
    _style(axes, "Error by defocus", "true defocus, µm", "absolute error, µm")
    highest = max((float(np.percentile(error, 90)) for error in errors if error.size), default=0.0)
    axes.set(
        xlim=(edges[0], edges[-1]),
        xticks=np.linspace(edges[0], edges[-1], 5),
        ylim=(0, 1.35 * max(highest, evaluation.dof_um / 2)),
    )
    axes.legend(loc="upper center", frameon=False, fontsize=9.5, ncols=3, columnspacing=1.0, handlelength=1.5)


def draw_answers_by_defocus(axes: Axes, evaluation: Evaluation) -> None:
    """Share of stated 90 % intervals that hold the truth, and share of frames that were refused, by true defocus."""
    edges, bins = by_true_defocus(evaluation, by_content(evaluation)[0])
    middles, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    axes.axhspan(85, 95, color=BAND, lw=0, label="85 to 95 %")
    refused = [100 * (share_refused(members) or 0.0) for members in bins]
    axes.bar(middles, refused, 0.8 * widths, color=REFUSED, label="refused")
    held = [_coverage(members) for members in bins]
    known = [value is not None for value in held]
    axes.plot(middles[known], [value for value in held if value is not None], "o-", color=CURVE, ms=5, lw=1.6)
    axes.plot([], [], "o-", color=CURVE, ms=5, lw=1.6, label="in 90 % interval")
    _style(axes, "Coverage and refusals", "true defocus, µm", "share of frames, %")
    axes.set(
        xlim=(edges[0], edges[-1]), xticks=np.linspace(edges[0], edges[-1], 5), ylim=(0, 122), yticks=range(0, 101, 25)
    )
    axes.legend(loc="upper center", frameon=False, fontsize=9, ncols=3, columnspacing=0.8, handlelength=1.3)


def _coverage(results: Sequence[FieldResult]) -> float | None:
    answered = [result for result in results if not result.refused and result.interval90_um is not None]
    inside = [low <= result.true_um <= high for result in answered for low, high in [result.interval90_um or (0, 0)]]
    return 100 * float(np.mean(inside)) if inside else None


def by_true_defocus(
    evaluation: Evaluation, results: Sequence[FieldResult]
) -> tuple[FloatArray, list[list[FieldResult]]]:
    """Edges of equal bins of true defocus over the model's range, µm, and the frames in each; none beyond."""
    edges = np.linspace(-evaluation.range_um, evaluation.range_um, _BINS + 1)
    bins: list[list[FieldResult]] = [[] for _ in pairwise(edges)]
    for result in results:
        if abs(result.true_um) <= evaluation.range_um:
            bins[min(int(np.searchsorted(edges, result.true_um, side="right")) - 1, _BINS - 1)].append(result)
    return edges, bins


def draw_error_by_group(
    axes: Axes, evaluation: Evaluation, results: Sequence[FieldResult], name: str, key: Key
) -> None:
    """Median and 90th percentile of the error of each group, one line a group, with the number of its frames."""
    _style(axes, f"Error by {name}", "absolute error, µm: median, 90th percentile", "")
    groups = _groups(results, key)
    if set(groups) <= {"unknown"}:
        axes.set(xticks=[], yticks=[], xlabel="")
        axes.spines[:].set_visible(False)
        _say(axes, f"the {name} of the frames is not stated")
        return
    axes.axvline(evaluation.dof_um / 2, color=FAINT, lw=1, ls=(0, (4, 3)))
    furthest = evaluation.dof_um / 2
    for row, members in enumerate(groups.values()):
        errors = _errors(members)
        if errors.size:
            median, high = np.percentile(errors, (50, 90))
            furthest = max(furthest, float(high))
            axes.plot([median, high], [row, row], color=CURVE, lw=2.2, alpha=0.45, solid_capstyle="butt")
            axes.plot([median], [row], "o", color=CURVE, ms=7)
            axes.plot([high], [row], "|", color=DOUBTED, ms=13, mew=2.2)
        axes.text(0.0, row - 0.3, f" {_tally(members)}", size=9, color=MUTED, va="center")
    axes.set(xlim=(0, 1.12 * furthest), ylim=(len(groups) - 0.5, -0.7), yticks=range(len(groups)))
    axes.set_yticklabels([each.replace("extremely-sparse", "extremely\nsparse") for each in groups], size=10)
    axes.tick_params(axis="y", length=0)
    axes.annotate(
        "DOF/2", (evaluation.dof_um / 2, -0.7), (3, -3), textcoords="offset points", size=9, color=MUTED, va="top"
    )


def _tally(results: Sequence[FieldResult]) -> str:
    refused = sum(result.refused for result in results)
    frames = count(len(results), "frame")
    return frames if not refused else f"{frames}, {refused} refused"


def _groups(results: Sequence[FieldResult], key: Key) -> dict[str, list[FieldResult]]:
    """Frames by the name of their group: densities from dense to empty, others by the alphabet, unknown last."""
    groups: dict[str, list[FieldResult]] = {}
    for result in results:
        groups.setdefault(key(result) or "unknown", []).append(result)
    rank = {name: index for index, name in enumerate(DENSITIES)}
    order = sorted(groups, key=lambda name: (name == "unknown", rank.get(name, len(rank)), name))
    return {name: groups[name] for name in order}


def _errors(results: Sequence[FieldResult]) -> FloatArray:
    """Absolute errors of the frames with an answer, µm."""
    errors = [result.error_um for result in results if not result.refused]
    return np.abs(np.array([error for error in errors if error is not None], np.float64))


def _style(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", size=12.5, color=INK, pad=9)
    axes.set_xlabel(x, size=10.5, color=INK)
    axes.set_ylabel(y, size=10.5, color=INK)
    axes.tick_params(labelsize=10, color=FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)


def _say(axes: Axes, words: str) -> None:
    style: dict[str, Any] = {"ha": "center", "va": "center", "size": 11.5, "color": DOUBTED}
    axes.text(0.5, 0.5, words, transform=axes.transAxes, **style)


def by_content(evaluation: Evaluation) -> tuple[list[FieldResult], list[FieldResult]]:
    """Frames with content or of unknown density, and empty ones, which are refused rightly."""
    empty = [result for result in evaluation.results if result.density == "empty"]
    return [result for result in evaluation.results if result.density != "empty"], empty


def share_refused(results: Sequence[FieldResult]) -> float | None:
    return sum(result.refused for result in results) / len(results) if results else None


def count(number: int, name: str) -> str:
    """A number of things in words: ``1 frame``, ``20 frames``."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
