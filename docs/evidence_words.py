"""How figures are written on the page of evidence: numbers, shares, tables of Markdown, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NONE = "–"
DENSITIES = {"dense": "dense", "sparse": "sparse", "extremely-sparse": "extremely sparse"}
STAINS = {
    "he": "H&E",
    "ihc": "IHC",
    "cytology": "cytology",
    "blood": "blood",
    "fluorescence": "fluorescence",
    "beads": "beads",
    "unstained": "unstained",
}


def um(value: float | None) -> str:
    """A length in µm, to the places that are worth reading."""
    if value is None:
        return NONE
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def share(value: float | None) -> str:
    """A fraction as a percentage; what is not quite all is never rounded up to it."""
    if value is None:
        return NONE
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    return f"{100 * value:.1f} %"


def count(value: int | float) -> str:
    """A whole number."""
    return f"{round(value):,}"


def some(number: int, what: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def bold(text: str, wanted: bool = True) -> str:
    """Text, bold if wanted."""
    return f"**{text}**" if wanted else text


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def dig(row: Mapping[str, Any], path: str) -> Any:
    """``dig(row, "refused.all")``."""
    value: Any = row
    for key in path.split("."):
        value = value[key]
    return value


def source(file: str, result: Mapping[str, Any], *facts: str) -> str:
    """A line below a table: how it was made, with what, and where the figures lie."""
    date = f" on {result['date']}" if result.get("date") else ""
    told = "; ".join(fact for fact in facts if fact)
    command = str(result["command"]).replace("|", "\\|")
    return f"<sub>`{command}`{date}{f'; {told}' if told else ''}. `benchmarks/results/{file}`.</sub>"


def weights(result: Mapping[str, Any]) -> str:
    """Which weights were asked."""
    return f"weights {str(result['model_sha256'])[:8]}"


def picture(name: str, says: str) -> str:
    """A figure of this page."""
    return f"![{says}](images/{name})"
