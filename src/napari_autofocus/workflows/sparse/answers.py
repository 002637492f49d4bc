"""The answers of several methods to one field, as bars from the truth to the answer: part of ``figure.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_autofocus.workflows.report import DOUBTED, INK
from napari_autofocus.workflows.reports.estimate_layout import MUTED
from napari_autofocus.workflows.reports.frame_panels import tick
from napari_autofocus.workflows.sparse.records import (
    EVERY_PATCH,
    HILL_CLIMBING,
    OURS,
    WHOLE_IMAGE,
    Answer,
    SparsityField,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe-Ito: told apart by colour-blind readers; those below share no hue with the scale of defocus.
COLOURS = {OURS: "#0072b2", EVERY_PATCH: "#e69f00", WHOLE_IMAGE: "#cc79a7", HILL_CLIMBING: "#009e73"}
NAMES = {
    OURS: "Patches chosen\nby importance",
    EVERY_PATCH: "Same network, mean\nof all patches",
    WHOLE_IMAGE: "Same network,\nwhole image resized",
    HILL_CLIMBING: "Hill climbing",
}
_HEIGHT = 0.62
_LETTER, _PAD = 0.03, 0.035
"""Room that a letter takes, and the distance of words from a bar, as shares of the panel's width."""


def draw_answers(axes: Axes, found: SparsityField, fields: Sequence[SparsityField], *, named: bool) -> None:
    """A row for each method: its bar, and in words its error, its frames, or its refusal.

    Parameters
    ----------
    axes : Axes
        Empty.
    found : SparsityField
        The field.
    fields : sequence of SparsityField
        Every field, so that all have one scale.
    named : bool
        Whether the methods' names stand at the left.
    """
    low, high = reach_um(fields)
    rows = range(len(found.answers))
    if found.has_content:
        axes.axvspan(found.true_um - found.dof_um / 2, found.true_um + found.dof_um / 2, color="#dfe3e8", lw=0)
        axes.axvline(found.true_um, color=INK, lw=1.4)
    for row, answer in zip(rows, found.answers, strict=True):
        _draw_answer(axes, row, answer, found, (low, high))
    axes.set(xlim=(low, high), ylim=(len(rows) - 0.5, -0.5), yticks=list(rows))
    axes.set_yticklabels([NAMES.get(each.name, each.name) for each in found.answers] if named else [])
    axes.tick_params(axis="y", length=0, labelsize=11.5, labelcolor=INK, pad=6)
    axes.tick_params(axis="x", labelsize=11, labelcolor=INK, color=MUTED)
    axes.xaxis.set_major_formatter(lambda value, _: tick(value))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.set_xlabel("answer, µm", size=12, color=INK)


def reach_um(fields: Sequence[SparsityField]) -> tuple[float, float]:
    """Lowest and highest answer of all fields with some room, µm; zero and the truth are always in sight."""
    said = [answer.answer_um for each in fields for answer in each.answers if answer.answer_um is not None]
    shown = [0.0, *said, *(each.true_um + side * each.dof_um for each in fields for side in (-1, 1))]
    room = 0.06 * (max(shown) - min(shown))
    return min(shown) - room, max(shown) + room


def _draw_answer(axes: Axes, row: int, answer: Answer, found: SparsityField, reach: tuple[float, float]) -> None:
    colour = COLOURS.get(answer.name, MUTED)
    words, middle_um = words_of(answer), sum(reach) / 2
    style: dict[str, Any] = {"size": 11.5, "va": "center", "color": INK}
    if answer.answer_um is None:
        axes.text(middle_um, row, words, ha="center", **style)
        return
    axes.plot([answer.answer_um], [row], "o", ms=7, color=colour, mec="white", mew=0.8, zorder=4)
    if answer.error_um is None:
        side = 1 if answer.answer_um < middle_um else -1
        style["color"] = DOUBTED
        axes.text(answer.answer_um + side * _PAD * (reach[1] - reach[0]), row, words, ha=_towards(side), **style)
        return
    axes.barh(row, answer.error_um, left=found.true_um, height=_HEIGHT, color=colour, alpha=0.85, lw=0, zorder=2)
    place_um, alignment = _place(answer.answer_um, found, reach, _LETTER * len(words))
    axes.text(place_um, row, words, ha=alignment, zorder=5, **style)


def _place(answer_um: float, found: SparsityField, reach: tuple[float, float], width: float) -> tuple[float, str]:
    """Where the words about a bar stand: on it if it is long, otherwise beside it, but never outside the panel."""
    low, high = reach
    span, middle_um = high - low, (low + high) / 2
    if abs(answer_um - found.true_um) > width * span:
        return (answer_um + found.true_um) / 2, "center"
    # On the side with more room, beyond truth, answer and depth of field.
    side = -1 if found.true_um > middle_um else 1
    ends = (answer_um, found.true_um + side * found.dof_um / 2)
    edge_um = (min(ends) if side < 0 else max(ends)) + side * _PAD * span
    room = edge_um - low if side < 0 else high - edge_um
    if room < width * span:
        return (low, "left") if side < 0 else (high, "right")
    return edge_um, _towards(side)


def _towards(side: int) -> str:
    return "left" if side > 0 else "right"


def words_of(answer: Answer) -> str:
    """An answer in a few words: its error and frames, a claim without a truth, or a refusal."""
    frames = "1 frame" if answer.frames == 1 else f"{answer.frames} frames"
    if answer.error_um is not None:
        return f"{answer.error_um:+.2f} · {frames}".replace("-", "−")
    if answer.answer_um is not None:
        return f"claims {answer.answer_um:+.1f}".replace("-", "−")
    refusals = {"no_content": "refuses: no content", "reverted": "gives up, goes back"}
    return f"{refusals.get(answer.outcome, answer.outcome.replace('_', ' '))} · {frames}"
