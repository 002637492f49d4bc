"""Small plots as SVG text, for pages that stand by themselves: their colours are the page's, light or dark.

A page that shows them defines the colours as CSS variables: ``--faint``, ``--band`` and those that are named.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from zlib import crc32

Points = Iterable[tuple[float, float]]

WIDTH, HEIGHT = 440, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 30, 46
_TICKS = 6
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


class Plot:
    """One pair of axes; what is drawn first lies below.

    Parameters
    ----------
    title : str
        Above the plot; also what a screen reader says.
    x_name, y_name : str
        Of the axes, with their unit.
    x_limits, y_limits : tuple of float
        What the axes span.
    rows : sequence of str, optional
        Names of rows in place of numbers along y; row i lies at y = i, from the top.
    height : int
        Of the whole picture, px; its width is :data:`WIDTH`.
    """

    def __init__(
        self,
        title: str,
        x_name: str,
        y_name: str,
        x_limits: tuple[float, float],
        y_limits: tuple[float, float],
        *,
        rows: Sequence[str] = (),
        height: int = HEIGHT,
    ) -> None:
        self._title, self._names, self._rows, self._height = title, (x_name, y_name), rows, height
        self._x_limits = x_limits
        self._y_limits = (len(rows) - 0.4, -0.6) if rows else y_limits
        self._left = 112 if rows else _LEFT
        self._marks: list[str] = []

    def band(self, corners: Points, colour: str = "--band") -> None:
        """A filled area."""
        points = " ".join(f"{self._x(x)},{self._y(y)}" for x, y in corners)
        self._marks.append(f'<polygon points="{points}" style="fill:var({colour})"/>')

    def line(self, points: Points, colour: str = "--faint", *, dashed: bool = False, width: float = 1.2) -> None:
        """Points joined."""
        joined = " ".join(f"{self._x(x)},{self._y(y)}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._marks.append(
            f'<polyline points="{joined}" fill="none" stroke-width="{width:g}"{dash} style="stroke:var({colour})"/>'
        )

    def dots(
        self, points: Points, colour: str, *, radius: float = 2.4, opacity: float = 0.6, hollow: bool = False
    ) -> None:
        """A dot for each point."""
        style = f"fill:none;stroke:var({colour});stroke-width:1.4" if hollow else f"fill:var({colour})"
        circles = "".join(f'<circle cx="{self._x(x)}" cy="{self._y(y)}" r="{radius:g}"/>' for x, y in points)
        self._marks.append(f'<g style="{style}" opacity="{opacity:g}">{circles}</g>')

    def note(self, x: float, y: float, text: str, *, anchor: str = "start", colour: str = "--faint") -> None:
        """A few words at a place."""
        self._marks.append(
            f'<text x="{self._x(x)}" y="{self._y(y)}" text-anchor="{anchor}" class="small"'
            f' style="fill:var({colour})">{html.escape(text)}</text>'
        )

    def svg(self) -> str:
        """The plot as one element of a page."""
        left, right, top, bottom = self._left, WIDTH - _RIGHT, _TOP, self._height - _BOTTOM
        clip = f"clip-{crc32(f'{self._title} {self._x_limits} {self._y_limits}'.encode()):08x}"
        inside = f'<clipPath id="{clip}"><rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>'
        names = (
            f'<text x="{(left + right) / 2:g}" y="{self._height - 8}" text-anchor="middle">{self._names[0]}</text>'
            f'<text transform="translate(14 {(top + bottom) / 2:g}) rotate(-90)" text-anchor="middle">{self._names[1]}'
            "</text>"
        )
        title = html.escape(self._title)
        return (
            f'<svg viewBox="0 0 {WIDTH} {self._height}" role="img" aria-label="{title}">'
            f'<text x="{left}" y="16" class="title">{title}</text>{inside}</clipPath>'
            f'<g class="axes">{self._axes()}{names}</g><g clip-path="url(#{clip})">{"".join(self._marks)}</g></svg>'
        )

    def _axes(self) -> str:
        bottom = self._height - _BOTTOM
        parts = [
            f'<line x1="{self._x(tick)}" x2="{self._x(tick)}" y1="{_TOP}" y2="{bottom}"/>'
            f'<text x="{self._x(tick)}" y="{bottom + 16}" text-anchor="middle">{number_words(tick)}</text>'
            for tick in ticks(*self._x_limits)
        ]
        rows = [(float(row), name) for row, name in enumerate(self._rows)]
        rows = rows or [(tick, number_words(tick)) for tick in ticks(*self._y_limits)]
        for place, words in rows:
            y = self._y(place)
            line = "" if self._rows else f'<line x1="{self._left}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
            parts.append(f'{line}<text x="{self._left - 7}" y="{y + 4}" text-anchor="end">{html.escape(words)}</text>')
        return "".join(parts)

    def _x(self, value: float) -> float:
        low, high = self._x_limits
        return round(self._left + (value - low) / (high - low) * (WIDTH - _RIGHT - self._left), 1)

    def _y(self, value: float) -> float:
        low, high = self._y_limits
        return round(self._height - _BOTTOM - (value - low) / (high - low) * (self._height - _BOTTOM - _TOP), 1)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two limits, about six."""
    raw = abs(high - low) / _TICKS
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * each for each in _STEPS if unit * each >= raw * (1 - 1e-9))
    first, last = sorted((low, high))
    return [round(step * n, 10) for n in range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)]


def number_words(value: float) -> str:
    """A number with a true minus."""
    return f"{value:g}".replace("-", "−")
