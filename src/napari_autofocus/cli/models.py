"""``napari-autofocus models``: which models are installed, what they are for and how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.output import print_json, print_table, reserved_stdout, say

if TYPE_CHECKING:
    from napari_autofocus.models.library import InstalledModel
    from napari_autofocus.models.package import ModelCard, VirtualCard

HEADINGS = ("name", "kind", "optics", "pixel", "range", "DOF", "error", "sign", "MB", "where")
TEXT_HEADINGS = ("name", "kind", "optics", "where")
UNKNOWN = "–"


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")] = False,
) -> None:
    """List the models that are installed: for which optics they are, how far they reach and how good they are.

    Models are shipped with the program, or lie in your own folder (named below the table), where any model file may be
    put. Every file is opened and verified; a broken one is listed with the reason.

    Error is the mean absolute error and sign the share of right directions, as measured when the model was made, on
    slides that it was not trained on.

    Examples:

        napari-autofocus models
        napari-autofocus models --json
    """
    with reserved_stdout(as_json):
        from napari_autofocus.models.library import installed_models, user_folder

        found = list(installed_models())
        if as_json:
            print_json({"models": [_as_dictionary(model) for model in found], "user_folder": str(user_folder())})
    if not as_json:
        _print_table(found)
        say(f"Your own models go into {user_folder()}")


def _as_dictionary(model: InstalledModel) -> dict[str, Any]:
    """What is known of a model; the keys of a broken one's card are None."""
    card = model.card
    return {
        "name": model.name,
        "path": str(model.path),
        "place": model.place,
        "size_bytes": model.size_bytes,
        "fault": model.fault or None,
        "kind": card and card.kind,
        "description": card and card.description,
        "optics": card and card.optics.model_dump(mode="json"),
        "stains": card and list(card.stains),
        "range_um": getattr(card, "range_um", None),
        "dz_um": getattr(card, "dz_um", None),
        "half_um": getattr(card, "half_um", None),
        "dof_um": card and card.dof_um,
        "evaluation": card and card.evaluation,
    }


def _print_table(found: list[InstalledModel]) -> None:
    from rich import box
    from rich.table import Table

    if not found:
        say("No model is installed.")
        return
    table = Table(title="Installed models (lengths in µm)", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in TEXT_HEADINGS else "right", no_wrap=True)
    for model in found:
        table.add_row(model.name, *_cells(model.card), f"{model.size_bytes / 1e6:.1f}", model.place)
    print_table(table)
    for model in found:
        if model.fault:
            say(f"{model.name} is broken: {model.fault}")


def _cells(card: ModelCard | VirtualCard | None) -> tuple[str, ...]:
    if card is None:
        return ("broken", *[UNKNOWN] * (len(HEADINGS) - 4))
    return (
        card.kind,
        f"{card.optics.objective.name}, {card.optics.colour}",
        f"{card.optics.pixel_size_um:.4g}",
        _reach(card),
        f"{card.dof_um:g}",
        _figure(card.evaluation.get("mae_um"), ".2f"),
        _figure(card.evaluation.get("direction_success"), ".1%"),
    )


def _reach(card: ModelCard | VirtualCard) -> str:
    """How far from focus a model answers; of a virtual one, how far from focus its shots may lie."""
    reach_um = getattr(card, "range_um", None) or getattr(card, "half_um", (0.0,))[-1]
    return f"±{reach_um:g}"


def _figure(value: Any, spelling: str) -> str:
    """A measured figure, where the card has it as a number."""
    return format(value, spelling) if isinstance(value, int | float) else UNKNOWN
