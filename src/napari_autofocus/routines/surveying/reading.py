"""What one frame, or two of them, say of where a field is in focus: a reading that may become a focus point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_autofocus.focus.estimate import FocusEstimate, refocus_z_um
from napari_autofocus.microscope.protocol import Frame

AGREE_DOF = 0.5
"""Two frames agree whose focus differs by no more depths of field (ours)."""
CENTRE_PATCHES = 5
"""Of an uneven field so many patches nearest to its centre count (ours)."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Where a frame says that its field is in focus.

    Parameters
    ----------
    frame : Frame
        The frame.
    estimate : FocusEstimate
        What the model said of it.
    z_um, uncertainty_um : float or None
        Drive position of best focus and its standard uncertainty, µm: the best guess of a reading that is not to be
        trusted, None without any.
    trusted : bool
        Whether that may become a point.
    reason : str
        Sentences.
    """

    frame: Frame
    estimate: FocusEstimate
    z_um: float | None
    uncertainty_um: float | None
    trusted: bool
    reason: str

    @property
    def is_empty(self) -> bool:
        """Whether the field shows nothing to focus on."""
        return self.estimate.verdict == "no_content"


def read(frame: Frame, estimate: FocusEstimate, direction: int, dof_um: float) -> Reading:
    """A frame and its estimate as a reading; an uneven field counts with its centre, where that is of one depth."""
    reason = " ".join(estimate.reasons)
    defocus, sigma, trusted = estimate.defocus_um, estimate.uncertainty_um, estimate.trusted
    if estimate.verdict == "uneven":
        at_centre = centre_defocus_um(estimate, (frame.image.shape[0], frame.image.shape[1]))
        if at_centre is not None:
            defocus, sigma = at_centre
            trusted = sigma <= dof_um
            reason = f"Uneven: no single focus fits the field; this is its centre's. {reason}"
    if direction == 0 or defocus is None or not math.isfinite(defocus):
        return Reading(frame, estimate, None, None, False, reason or "The model gave no number.")
    if sigma is not None and not math.isfinite(sigma):
        sigma = None
    return Reading(frame, estimate, refocus_z_um(frame.z_um, defocus, direction), sigma, trusted, reason)


def centre_defocus_um(estimate: FocusEstimate, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Defocus at the centre of a field, and how uncertain, µm; None where no patch was read."""
    read = [patch for patch in estimate.patches if patch.counts]
    if not read:
        return None
    middle = shape[0] / 2, shape[1] / 2
    read.sort(key=lambda patch: math.dist(middle, (patch.y + patch.size / 2, patch.x + patch.size / 2)))
    nearest = read[:CENTRE_PATCHES]
    values = np.array([patch.defocus_um for patch in nearest], np.float64)
    own = float(np.median([patch.uncertainty_um for patch in nearest]))
    return float(np.median(values)), math.hypot(own, float(np.std(values)))


def content_offset_um(reading: Reading, mirrored: tuple[bool, bool] | None) -> tuple[float, float]:
    """How far the content that was read lies from the field's centre, along x and y of the stage, µm.

    Only where one defocus stands for all patches that were read: of a tilted or uneven field the centre's is told.
    """
    frame, read = reading.frame, [patch for patch in reading.estimate.patches if patch.counts]
    if mirrored is None or frame.pixel_size_um is None or not read or reading.estimate.verdict in ("tilted", "uneven"):
        return 0.0, 0.0
    height, width = frame.image.shape[:2]
    column = float(np.mean([patch.x + patch.size / 2 for patch in read])) - width / 2
    row = float(np.mean([patch.y + patch.size / 2 for patch in read])) - height / 2
    signs = [-1 if is_mirrored else 1 for is_mirrored in mirrored]
    return signs[0] * column * frame.pixel_size_um, signs[1] * row * frame.pixel_size_um


def agreed(first: Reading, second: Reading, dof_um: float) -> Reading | None:
    """Two frames of one field, taken a known way apart, that say the same; None where they do not.

    A model that has the side of focus wrong contradicts itself as soon as the drive has moved.
    """
    if first.z_um is None or second.z_um is None:
        return None
    own = math.hypot(first.uncertainty_um or 0.0, second.uncertainty_um or 0.0)
    apart_um = abs(first.z_um - second.z_um)
    if apart_um > AGREE_DOF * dof_um + min(own, dof_um):
        return None
    sharper = min((first, second), key=lambda each: each.uncertainty_um or math.inf)
    sigma = max(sharper.uncertainty_um or 0.0, apart_um / 2)
    reason = f"Two frames agree within {apart_um:.2f} µm though each left the model unsure."
    return Reading(second.frame, second.estimate, sharper.z_um, sigma, True, reason)
