"""What is told at the shell of where a drive would go; nothing has moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.parts.output import print_json

if TYPE_CHECKING:
    from napari_autofocus.routines.refocus_config import Proposal


def tell_proposals(proposals: Sequence[tuple[Proposal, dict[str, Any]]], dof_um: float, as_json: bool) -> None:
    """Print proposals with what is known of their truth; ``dof_um`` is the model's depth of field."""
    if as_json:
        print_json({"proposals": [_described(proposal, truth) for proposal, truth in proposals]})
        return
    for index, (proposal, truth) in enumerate(proposals):
        print(f"{index + 1}: {_words(proposal, truth, dof_um)}")
        for warning in proposal.estimate.warnings:
            print(f"  Warning: {warning}")


def _described(proposal: Proposal, truth: dict[str, Any]) -> dict[str, Any]:
    """One proposal; ``start_um`` is the true defocus, and there is no end, since nothing moves."""
    told = proposal.estimate.to_json()
    del told["patches"]
    return {
        **{name: value for name, value in truth.items() if name != "end_um"},
        "z_um": proposal.frame.z_um,
        "target_z_um": proposal.target_um,
        "focus_direction": proposal.focus_direction,
        "reason": proposal.reason,
        **told,
    }


def _words(proposal: Proposal, truth: dict[str, Any], dof_um: float) -> str:
    from napari_autofocus.workflows.estimates import state_words, value_words

    true_um = truth["start_um"]
    known = "" if true_um is None else f" (true defocus {true_um:+.2f} µm)"
    read = f"{value_words(proposal.estimate, dof_um)}{known} · {state_words(proposal.estimate)}"
    way = "stays" if proposal.target_um is None else f"{proposal.frame.z_um:.2f} → {proposal.target_um:.2f} µm"
    return f"{read}\n  {way}: {proposal.reason}"
