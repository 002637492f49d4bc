"""Whether what a frame shows contradicts a model that claims focus: sharpness of the same patches over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction
from napari_autofocus.microscope.protocol import Image
from napari_autofocus.routines.running.looking import patch_sharpness

IN_FOCUS_DOF = 0.5
"""A frame within this many depths of field of focus may serve as a reference of sharpness."""
CLAIMS_FOCUS_DOF = 1.0
"""A defocus within this many depths of field is a claim of focus, which sharpness may contradict."""


@dataclass
class _Reference:
    """The best that certain patches of a frame of this shape have shown in focus."""

    shape: tuple[int, ...]
    patches: tuple[PatchPrediction, ...]
    value: float


class SharpnessWatch:
    """Compares frames that a model calls sharp with the sharpest of them.

    Sharpness is taken relative to the squared brightness of the patches, so that bleaching and a failing lamp do not
    look like defocus. On a transparent specimen contrast is least in focus: once a frame that the model calls far out
    of focus is found sharper, sharpness is no longer believed.

    Parameters
    ----------
    least_share : float
        Share of the best below which a frame contradicts; 0 switches the watch off.
    dof_um : float
        Depth of field, µm.
    is_transparent : bool
        Whether the specimen is known to be transparent: nothing is compared, and near focus the model's own word that
        it is near has to do.
    """

    def __init__(self, least_share: float, dof_um: float, *, is_transparent: bool = False) -> None:
        self._least_share = least_share
        self._is_transparent = is_transparent
        self._dof_um = dof_um
        self._reference: _Reference | None = None
        self._believed = least_share > 0 and not is_transparent

    def forget(self) -> None:
        """Start anew: another field, or another place of the drive."""
        self._reference = None

    def share_of_best(self, image: Image, estimate: FocusEstimate) -> float | None:
        """Sharpness of a frame over the best in focus; None where it says nothing."""
        if not self._believed or estimate.defocus_um is None:
            return None
        defocus_dof = abs(estimate.defocus_um) / self._dof_um
        if self._reference is None or self._reference.shape != image.shape:
            self._refer_to(image, estimate, defocus_dof)
            return None
        value = relative_sharpness(image, self._reference.patches) or 0.0
        if defocus_dof > CLAIMS_FOCUS_DOF:
            self._believed = value <= self._reference.value
            return None
        self._reference.value = max(self._reference.value, value)
        return value / self._reference.value

    def vouches_for(self, image: Image, estimate: FocusEstimate) -> bool:
        """Whether a frame near focus, on a side that the model cannot tell, is still as sharp as one in focus is."""
        numbers = estimate.defocus_um, estimate.uncertainty_um
        if self._is_transparent:
            return all(value is not None and abs(value) <= CLAIMS_FOCUS_DOF * self._dof_um for value in numbers)
        if not self._believed or self._reference is None or self._reference.shape != image.shape:
            return False
        if estimate.defocus_um is None or not abs(estimate.defocus_um) <= CLAIMS_FOCUS_DOF * self._dof_um:
            return False
        value = relative_sharpness(image, self._reference.patches) or 0.0
        return value >= self._least_share * self._reference.value

    def contradicts(self, share: float | None) -> bool:
        """Whether such a share is too little for a frame in focus."""
        return share is not None and share < self._least_share

    def _refer_to(self, image: Image, estimate: FocusEstimate, defocus_dof: float) -> None:
        patches = tuple(patch for patch in estimate.patches if patch.counts)
        value = relative_sharpness(image, patches)
        if defocus_dof <= IN_FOCUS_DOF and value:
            self._reference = _Reference(image.shape, patches, value)


def relative_sharpness(image: Image, patches: Sequence[PatchPrediction]) -> float | None:
    """Sharpness on some patches over their squared brightness; None where there is none, or all of them are black."""
    found = patch_sharpness(image, patches)
    if found is None:
        return None
    level = np.mean([image[p.y : p.y + p.size, p.x : p.x + p.size].mean(dtype=np.float64) for p in patches])
    return found / float(level) ** 2 if level > 0 else None
