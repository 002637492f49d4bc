"""Whether a field holds anything to focus on: patches of it must change with focus by more than the camera's noise.

Fed with frames one at a time, none of which is kept; dust and gradients that look the same at every focus do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.curve import NOISE_FREE, SIGNIFICANT, FocusCurve, judge_curve
from napari_autofocus.focus.noise_free import noise_of_brenner, split_brenner
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.microscope.protocol import Frame

FloatArray = npt.NDArray[np.float64]

FEWEST_FRAMES = 3
"""With fewer nothing can be said to change with focus."""


@dataclass(frozen=True)
class ContentVerdict:
    """What the frames of a field say of its content.

    Parameters
    ----------
    patches, changing : int
        Patches in the field, and how many of them change with focus.
    strongest : float
        Height of the strongest patch's focus curve over its noise.
    best_z_um : float or None
        Where the field is sharpest, µm: the median over the patches that change with focus and show where they are
        sharpest; None without any.
    field : FocusCurve
        Verdict on the mean over the field.
    """

    patches: int
    changing: int
    strongest: float
    best_z_um: float | None
    field: FocusCurve

    def holds(self, least: int) -> bool:
        """Whether at least so many patches change with focus, or the field as a whole does."""
        return self.changing >= least or self.field.trusted

    def in_words(self) -> str:
        """The numbers behind it, a sentence."""
        if self.strongest >= NOISE_FREE:
            strongest = "the strongest is free of noise"
        else:
            strongest = f"the strongest by {self.strongest:.1f} times its noise, {SIGNIFICANT:g} is needed"
        return f"{self.changing} of {self.patches} patches change with focus; {strongest}."


class ContentMeter:
    """Sharpness of each patch over the frames of one field.

    Parameters
    ----------
    patch_px : int
        Side of a patch, px; less in a smaller field.
    same_place_um : float
        Frames that lie no farther apart than this count as taken at one place, µm: a search looks twice at its best.
    dof_um : float or None
        Depth of field, µm, where it is known.
    """

    def __init__(self, patch_px: int, same_place_um: float, dof_um: float | None = None) -> None:
        self._patch_px, self._same_place_um, self._dof_um = patch_px, same_place_um, dof_um
        self._z_um: list[float] = []
        self._values: list[FloatArray] = []
        self._noise: list[FloatArray] = []

    def __len__(self) -> int:
        return len(self._z_um)

    def add(self, frame: Frame) -> float:
        """Measure a frame; its mean Brenner gradient is returned, counts². Raises InputError if it is no image."""
        shape = frame.image.shape[0], frame.image.shape[1]
        split = split_brenner(frame.image, PatchGrid(shape, min(self._patch_px, *shape)))
        self._z_um.append(frame.z_um)
        self._values.append(split.brenner.ravel())
        self._noise.append(noise_of_brenner(split).ravel())
        return float(self._values[-1].mean())

    def verdict(self, *, spikes: bool = False) -> ContentVerdict | None:
        """What has been seen so far; None from too few frames.

        Parameters
        ----------
        spikes : bool
            Whether a single frame that stands out counts: a disturbance among planes that lie close, but perhaps a
            narrow peak among the few frames of a search.
        """
        if len(self) < FEWEST_FRAMES:
            return None
        z_um, values = self._places()
        noise = np.stack(self._noise).min(axis=0)
        curves = [self._judge(z_um, values[:, i], float(noise[i])) for i in range(values.shape[1])]
        field = self._judge(z_um, values.mean(axis=1), float(np.sqrt(np.mean(noise**2) / noise.size)))
        counted = [curve for curve in curves if spikes or curve.verdict != "spike"]
        changing = [curve for curve in counted if curve.significance >= SIGNIFICANT]
        best = [curve.best_z_um for curve in changing if curve.best_z_um is not None and (spikes or curve.trusted)]
        return ContentVerdict(
            patches=len(curves),
            changing=len(changing),
            strongest=max((curve.significance for curve in counted), default=0.0),
            best_z_um=float(np.median(best)) if best else field.best_z_um if field.trusted else None,
            field=field,
        )

    def _places(self) -> tuple[FloatArray, FloatArray]:
        """Mean z and mean sharpness of the frames at each place, by rising z."""
        order = np.argsort(self._z_um, kind="stable")
        z_um, values = np.array(self._z_um)[order], np.stack(self._values)[order]
        place = np.cumsum(np.diff(z_um, prepend=z_um[0]) > self._same_place_um)
        members = [place == number for number in range(place[-1] + 1)]
        return np.array([z_um[one].mean() for one in members]), np.stack([values[one].mean(axis=0) for one in members])

    def _judge(self, z_um: FloatArray, values: FloatArray, noise: float) -> FocusCurve:
        return judge_curve(z_um, values, noise=noise or None, dof_um=self._dof_um)
