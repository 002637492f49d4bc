"""Colours that follow napari's theme, for what Qt style sheets cannot reach."""

from __future__ import annotations

from dataclasses import dataclass

from napari.utils.theme import get_theme


@dataclass(frozen=True)
class Colours:
    """Colours of a plot, as ``#rrggbb``: its ground, its text, lines of no weight, and the marks that carry meaning.

    ``good`` marks what is in focus; it never stands alone, but beside a word or a place.
    """

    ground: str
    text: str
    faint: str
    curve: str
    peak: str
    warning: str
    error: str
    good: str


# Okabe-Ito blue, vermilion and bluish green, told apart by colour-blind readers; lighter on dark ground for contrast.
_ACCENTS = {"dark": ("#56b4e9", "#ff9d5c", "#ff8a80", "#2bbf8a"), "light": ("#0072b2", "#c2500a", "#b3261e", "#00785a")}


def theme_colours(theme: str) -> Colours:
    """The colours that go with a napari theme, by its id."""
    chosen = get_theme(theme)
    curve, peak, error, good = _ACCENTS[chosen.type]
    warning = chosen.warning.as_hex() if chosen.type == "dark" else "#8a6100"
    return Colours(
        ground=_hex(chosen.background),
        text=_hex(chosen.text),
        faint=_hex(chosen.secondary),
        curve=curve,
        peak=peak,
        warning=warning,
        error=error,
        good=good,
    )


def _hex(colour: object) -> str:
    """Six digits, which both Qt and pyqtgraph read (a short or named form is not safe for both)."""
    red, green, blue = colour.as_rgb_tuple()[:3]  # type: ignore[attr-defined]
    return f"#{red:02x}{green:02x}{blue:02x}"
