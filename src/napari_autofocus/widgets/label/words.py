"""What the labelling panel says about a stack of its work list: words, numbers and marks, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from napari_autofocus.labelling.opinions import BRENNER, Opinion, Status, Verdict
from napari_autofocus.widgets.parts.sentences import plain_um
from napari_autofocus.workflows.labels.brenner import BrennerSummary
from napari_autofocus.workflows.labels.desk import WorkItem

Shade = Literal["text", "curve", "good", "warning", "error"]

VERDICT_WORDS: Mapping[Verdict, str] = {
    "sharp": "sharp",
    "no_content": "no content",
    "two_depths": "two depths",
    "skip": "skipped",
}
STATUS_WORDS: Mapping[Status, str] = {
    "unlabelled": "unlabelled",
    "brenner": BRENNER,
    "confirmed": "confirmed",
    "disputed": "disputed",
    "skipped": "skipped",
}
_MARKS: Mapping[Status, str] = {"unlabelled": "○", "brenner": "◐", "confirmed": "●", "disputed": "≠", "skipped": "–"}
_SHADES: Mapping[Status, Shade] = {
    "unlabelled": "text",
    "brenner": "curve",
    "confirmed": "good",
    "disputed": "error",
    "skipped": "text",
}


def short_name(name: str) -> str:
    """A stack's name without the ending that all have."""
    for ending in (".ome.tif", ".ome.tiff", ".ome.zarr"):
        name = name.removesuffix(ending)
    return name


def own_of(item: WorkItem, annotator: str) -> Opinion | None:
    """What an annotator says about a stack; None where nothing."""
    return next((opinion for opinion in item.consensus.persons if opinion.annotator == annotator), None)


def needs_person(item: WorkItem) -> bool:
    """Whether Brenner has measured the stack, and nobody can rely on it."""
    found = item.consensus.brenner
    return item.consensus.status == "brenner" and found is not None and not found.trusted


def status_words(item: WorkItem) -> str:
    """Mark and word for how far a stack has come; of a confirmed one what was said."""
    if item.failed:
        return "✕ unreadable"
    found = item.consensus
    word = STATUS_WORDS[found.status]
    if found.status == "confirmed" and found.verdict is not None:
        word = VERDICT_WORDS[found.verdict]
    return f"{_MARKS[found.status]} {word}{'?' if needs_person(item) else ''}"


def status_shade(item: WorkItem) -> Shade:
    """The colour that goes with the words, a name of the theme's."""
    if item.failed:
        return "error"
    return "warning" if needs_person(item) else _SHADES[item.consensus.status]


def best_words(item: WorkItem) -> str:
    """Best focus in µm with its uncertainty where one is stated; a dash where there is none."""
    best_z_um = item.consensus.best_z_um
    if item.failed or best_z_um is None:
        return "–"
    found = item.consensus.brenner
    uncertainty_um = found.uncertainty_um if found is not None and item.consensus.status == "brenner" else None
    return plain_um(best_z_um, uncertainty_um).removesuffix(" µm")


def by_words(item: WorkItem) -> str:
    """Who said something about a stack; Brenner only where nobody else did."""
    persons = [opinion.annotator for opinion in item.consensus.persons]
    if persons:
        return ", ".join(persons)
    return BRENNER if item.consensus.brenner is not None else ""


def counts_words(counts: Mapping[Status, int]) -> str:
    """How many stacks have come how far, those of which there are none left out."""
    told = [f"{counts[status]} {word}" for status, word in STATUS_WORDS.items() if counts.get(status)]
    return " · ".join(told) or "no stacks"


def summary_words(summary: BrennerSummary) -> str:
    """What measuring many stacks came to."""
    parts = [f"{len(summary.measured)} measured"]
    parts += [f"{summary.known} known from before"] if summary.known else []
    parts += [f"{len(summary.untrusted)} with a curve not to be trusted"] if summary.untrusted else []
    parts += [f"{len(summary.failed)} that cannot be read"] if summary.failed else []
    return f"{', '.join(parts)}."


def opinion_words(opinion: Opinion) -> str:
    """What was said, as part of a sentence."""
    if opinion.verdict == "sharp" and opinion.best_z_um is not None:
        return f"sharp at {plain_um(opinion.best_z_um)}"
    return VERDICT_WORDS[opinion.verdict]


def item_words(item: WorkItem, annotator: str) -> str:
    """What everybody says about a stack, in a line; why it should not be used as it is, where there is a reason."""
    if item.failed:
        return str(item.failed)
    if item.consensus.reason:
        return item.consensus.reason
    own = own_of(item, annotator)
    said = [f"You: {opinion_words(own)}"] if own is not None else []
    said += [
        f"{opinion.annotator}: {opinion_words(opinion)}" for opinion in item.consensus.persons if opinion is not own
    ]
    return "; ".join(said) + "." if said else ""
