"""The words of a matplotlib figure as they are drawn: what they say, whether they overlap or leave the page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def texts(part: Artist) -> list[Text]:
    """Every text that is drawn."""
    found = [text for text in part.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    unseen = {id(label) for axis in part.findobj(Axis) for label in _out_of_view(axis)}
    return [text for text in found if text.get_text().strip() and id(text) not in unseen]


def _out_of_view(axis: Artist) -> Iterator[Text]:
    """Labels of ticks beyond the limits of an axis, which matplotlib keeps and does not draw."""
    assert isinstance(axis, Axis)
    low, high = sorted(axis.get_view_interval())
    margin = 1e-9 * (high - low)
    for tick in axis.get_major_ticks():
        if not low - margin <= tick.get_loc() <= high + margin:
            yield from (tick.label1, tick.label2)


def said(part: Artist) -> str:
    """All words, a line a text."""
    return "\n".join(text.get_text() for text in texts(part))


def misplaced(figure: Figure) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of texts that overlap, and texts that leave the page."""
    FigureCanvasAgg(figure).draw()  # legends are laid out when they are drawn
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    clashes = [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.shrunk(0.98, 0.9).overlaps(other)]
    page = figure.bbox
    outside = [a for a, box in boxes if min(box.x0, box.y0) < 0 or box.x1 > page.x1 or box.y1 > page.y1]
    return clashes, outside
