"""Kinds of models that can be trained, and what each may begin with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qtpy.QtWidgets import QComboBox

from napari_autofocus.models.library import InstalledModel
from napari_autofocus.widgets.parts.forms import choice

SCRATCH = "From scratch"
VIRTUAL = "virtual"
_KINDS = (
    ("One shot, with content importance", "one-shot"),
    ("Two shots", "two-shot"),
    ("Virtual refocusing (TSVA)", VIRTUAL),
)
_FROM_NOTHING = ("one-shot", VIRTUAL)
_WITHOUT = {"two-shot": "no model of two shots is installed to begin with"}


def kind_choice() -> QComboBox:
    """A box of all kinds; those that begin with another model can be chosen once :func:`offer_kinds` is told them."""
    box = choice(_KINDS, "What kind of model to train")
    offer_kinds(box, ())
    return box


def offer_kinds(box: QComboBox, models: Sequence[InstalledModel]) -> None:
    """Let those kinds be chosen that can be trained with what is installed; the others say why not."""
    installed = {model.card.kind for model in models if model.card is not None}
    for place, (name, kind) in enumerate(_KINDS):
        possible = kind in _FROM_NOTHING or kind in installed
        box.setItemText(place, name if possible else f"{name}: {_WITHOUT[kind]}")
        box.model().item(place).setEnabled(possible)


def bases_of(models: Sequence[InstalledModel], kind: str) -> Iterator[tuple[str, str | None]]:
    """Name and file of what a model of a kind may begin with; one of two shots never begins with nothing."""
    for model in models:
        if model.card is not None and model.card.kind == kind:
            yield model.name, str(model.path)
    if kind in _FROM_NOTHING:
        yield SCRATCH, None
