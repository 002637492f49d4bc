"""What is said about a model of one's own: its card, and the notes that go with its figures."""

from __future__ import annotations

from dataclasses import replace

from napari_autofocus.focus.deciding.calibration import FEWEST_FIELDS
from napari_autofocus.focus.deciding.selection import SelectionSettings
from napari_autofocus.focus.estimate import DecisionSettings
from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import ModelCard
from napari_autofocus.models.teaching import Taught
from napari_autofocus.workflows.own_plan import OwnPlan


def decision_of(own: OwnPlan) -> DecisionSettings:
    """How patches become a verdict, before the model is calibrated."""
    if own.base is None:
        return DecisionSettings(own.dof_um, own.range_um)
    inherited = own.base.card.decision
    calibration = replace(
        inherited.calibration, floor_um=inherited.calibration.floor_um * own.dof_um / inherited.dof_um
    )
    # A response curve belongs to the weights it was fitted to, and these are about to change.
    return replace(inherited, dof_um=own.dof_um, range_um=own.range_um, calibration=calibration, response=None)


def card_of(own: OwnPlan, name: str, taught: Taught) -> ModelCard:
    """What is said about a model that was taught so; its evaluation is not known yet."""
    base, looking, held = own.base, own.plan.importance, own.split.evaluation
    begun = f", beginning with {base.card.name}" if base is not None else ""
    measured = f"measured on {len(held)} that were held out" if held else "measured on each of them, held out in turn"
    shots = "One frame to its" if own.dz_um is None else f"Two frames {own.dz_um:g} µm apart to the second's"
    return ModelCard(
        name=name,
        kind="one-shot" if own.dz_um is None else "two-shot",
        dz_um=own.dz_um,
        description=(
            f"{shots} signed defocus within ±{own.range_um:g} µm. Taught on"
            f" {len(own.split.training)} z-stacks from one's own microscope{begun}, and {measured}. {own.split.note}"
        ),
        optics=own.optics,
        stains=tuple(sorted({stack.stain for stack in own.split.training if stack.stain})),
        patch_px=looking.patch_px,
        stride_px=looking.stride_px,
        reduction=looking.reduction,
        selection=base.card.selection if base is not None else SelectionSettings(),
        decision=decision_of(own),
        defocus_network=network_card(taught.defocus.network),
        importance_network=network_card(taught.importance.network),
        training=taught.record({"base": base.card.name if base is not None else None, "split": own.split.to_json()}),
    )


def notes_of(own: OwnPlan, frames: int, calibrated: bool) -> list[str]:
    """What a reader of the figures has to know, a sentence each."""
    split, learned = own.split, f"Learned from {len(own.split.training)} stacks; measured on {frames} frames of"
    of = f"{len(split.evaluation)} stacks that were held out." if split.evaluation else "them, each held out in turn."
    notes = [f"{learned} {of} {split.note}"]
    if not calibrated:
        how = "cautiously" if own.base is None else f"as {own.base.card.name} does"
        notes.append(
            f"Fewer than {FEWEST_FIELDS} frames with content were held out to calibrate with: the model states its"
            f" uncertainty {how}, and nobody has checked that; more stacks mend it."
        )
    if own.featureless:
        notes.append(f"Left out because no patch of theirs shows focus: {own.featureless} stacks.")
    if own.unpaired:
        notes.append(f"Left out because no two of their planes lie {own.dz_um:g} µm apart: {own.unpaired} stacks.")
    return notes
