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
_MIDDLE_GREY = 128


def theme_colours(theme: str) -> Colours:
    """The colours that go with a napari theme, by its id."""
    chosen = get_theme(theme)
    dark = _is_dark(chosen.background)
    curve, peak, error, good = _ACCENTS["dark" if dark else "light"]
    warning = chosen.warning.as_hex() if dark else "#8a6100"
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


def _is_dark(ground: object) -> bool:
    """Whether a ground asks for light text; themes of napari before 0.7.1 do not say of which kind they are."""
    red, green, blue = ground.as_rgb_tuple()[:3]  # type: ignore[attr-defined]
    return bool(0.299 * red + 0.587 * green + 0.114 * blue < _MIDDLE_GREY)


def _hex(colour: object) -> str:
    """Six digits, which both Qt and pyqtgraph read (a short or named form is not safe for both)."""
    red, green, blue = colour.as_rgb_tuple()[:3]  # type: ignore[attr-defined]
    return f"#{red:02x}{green:02x}{blue:02x}"
