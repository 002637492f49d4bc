"""What people say of where a stack and its patches are sharp, laid beside what was measured. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from napari_autofocus.focus.zstack import StackFocus

Corner = tuple[int, int, int]
"""Upper left corner and side of a patch: y, x, size, px."""


@dataclass(frozen=True)
class Said:
    """What is known of where the stack at hand is sharp, besides its focus curve.

    Parameters
    ----------
    own_um : float or None
        What the annotator said, µm.
    others : sequence of (str, float)
        Other annotators' names and what they said, µm.
    patches : mapping of corner to float
        Best focus of the patches that somebody labelled, µm.
    """

    own_um: float | None = None
    others: Sequence[tuple[str, float]] = ()
    patches: Mapping[Corner, float] | None = None


def with_said(focus: StackFocus, said: Mapping[Corner, float]) -> StackFocus:
    """What was measured, with the patches that a person labelled where the person says."""
    if not said:
        return focus
    patches = tuple(
        replace(patch, best_z_um=said[corner], trusted=True) if (corner := (patch.y, patch.x, patch.size)) in said
        else patch
        for patch in focus.patches
    )  # fmt: skip
    return replace(focus, patches=patches)
