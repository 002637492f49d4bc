"""What a predictor says about one frame, who may be a predictor, and what the sign of a defocus means.

The sign, stated here once for the whole project: ``defocus_um = focus_direction * (z_um - best_z_um)``. Positive means
that sample and objective are too close, on every stand; ``focus_direction`` is +1 for a drive whose growing ``z_um``
brings them together and -1 for one that takes them apart. To refocus, a drive moves by
``-defocus_um * focus_direction``: :func:`refocus_z_um`.

How patch predictions become an estimate is in ``deciding/decision.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.field_tilt import FieldTilt
from napari_autofocus.focus.deciding.settings import Calibration, DecisionSettings
from napari_autofocus.optics import Objective

__all__ = [
    "Calibration",
    "DecisionSettings",
    "FocusEstimate",
    "FocusPredictor",
    "ImageOptics",
    "PairPredictor",
    "PairPredictorCard",
    "PatchPrediction",
    "PredictorCard",
    "Verdict",
    "defocus_um",
    "refocus_z_um",
]

Verdict = Literal["flat", "tilted", "uneven", "no_content", "out_of_range", "unsure"]


def defocus_um(z_um: float, best_z_um: float, focus_direction: int) -> float:
    """Defocus at a drive position, µm: positive where sample and objective are too close.

    Parameters
    ----------
    z_um, best_z_um : float
        Position of the drive, and where the field is sharpest, µm.
    focus_direction : int
        +1 if a growing z brings sample and objective together, -1 if apart.

    Raises
    ------
    InputError
        If the direction is unknown (0) or a position is not finite.
    """
    _check_direction(focus_direction)
    _check_finite("drive position", z_um)
    _check_finite("position of best focus", best_z_um)
    return focus_direction * (z_um - best_z_um)


def refocus_z_um(z_um: float, defocus_um: float, focus_direction: int) -> float:
    """Where the drive has to go to bring a field into focus, µm.

    Parameters
    ----------
    z_um : float
        Position of the drive when the frame was taken, µm.
    defocus_um : float
        Defocus of that frame, µm, positive where sample and objective are too close.
    focus_direction : int
        +1 if a growing z brings sample and objective together, -1 if apart.

    Raises
    ------
    InputError
        If the direction is unknown (0) or a number is not finite: nothing may move by a guess.
    """
    _check_direction(focus_direction)
    _check_finite("drive position", z_um)
    _check_finite("defocus", defocus_um)
    return z_um - focus_direction * defocus_um


@dataclass(frozen=True)
class PatchPrediction:
    """What is known about one patch of a frame.

    Parameters
    ----------
    y, x, size : int
        Upper left corner and side, px.
    importance : float
        Content importance, in [0, 1].
    chosen : bool
        Whether the patch was read at full resolution.
    defocus_um, uncertainty_um : float or None
        Predicted defocus and its standard uncertainty, µm; None where the patch was not read.
    positive_probability : float or None
        Probability that the patch's defocus is positive.
    """

    y: int
    x: int
    size: int
    importance: float
    chosen: bool = False
    defocus_um: float | None = None
    uncertainty_um: float | None = None
    positive_probability: float | None = None

    @property
    def counts(self) -> bool:
        """Whether the patch was read and its prediction is a sound one: finite, with an uncertainty above zero."""
        if not self.chosen:
            return False
        values = (self.defocus_um, self.uncertainty_um, self.positive_probability)
        if any(value is None or not math.isfinite(value) for value in values):
            return False
        return (self.uncertainty_um or 0.0) > 0 and 0 <= (self.positive_probability or 0.0) <= 1


@dataclass(frozen=True)
class FocusEstimate:
    """The signed defocus of one frame, and whether to act on it.

    Parameters
    ----------
    verdict : str
        ``flat`` (one focus fits the field), ``tilted`` (a plane does; the defocus is that of the field's centre),
        ``uneven`` (neither does), ``no_content``, ``out_of_range`` or ``unsure``.
    defocus_um : float or None
        Positive where sample and objective are too close, µm. For a verdict that is not :attr:`trusted` the best
        guess, for display only.
    uncertainty_um : float or None
        Standard uncertainty of ``defocus_um``, µm.
    interval90_um : tuple of float or None
        Holds the true defocus in 90 % of fields, µm.
    direction_probability : float
        Probability that the sign of ``defocus_um`` is right; 0.5 where nothing is known.
    reasons : tuple of str
        Sentences with the numbers behind the verdict and what to do.
    spread_um : float or None
        10th to 90th percentile of the chosen patches' defocus, µm.
    scan_um : tuple of float or None
        Lowest and highest defocus to scan over for an all-in-focus image of an ``uneven`` field, µm.
    tilt_um_per_mm : tuple of float or None
        How defocus grows along x and along y of the image, µm per mm, where ``tilted``.
    tilt : FieldTilt or None
        The same with its error, also where it is smaller than the depth of field; of ``flat`` and ``tilted`` fields
        with enough patches on a plane. Whether it is worth telling it says itself.
    patches : tuple of PatchPrediction
        Every patch of the grid, read or not.
    warnings : tuple of str
        What every use of this answer has to say, such as optics that the model was not made for.
    model : str
        Name of the model.
    seconds : float or None
        Time that the estimate took.
    """

    verdict: Verdict
    defocus_um: float | None = None
    uncertainty_um: float | None = None
    interval90_um: tuple[float, float] | None = None
    direction_probability: float = 0.5
    reasons: tuple[str, ...] = ()
    spread_um: float | None = None
    scan_um: tuple[float, float] | None = None
    tilt_um_per_mm: tuple[float, float] | None = None
    tilt: FieldTilt | None = None
    patches: tuple[PatchPrediction, ...] = ()
    warnings: tuple[str, ...] = ()
    model: str = ""
    seconds: float | None = None

    @property
    def trusted(self) -> bool:
        """Whether one move by this defocus is right: ``flat`` or ``tilted``.

        An ``uneven`` field has no single focus: its :attr:`scan_um` says over what to scan. Every other verdict is a
        refusal; nothing may move by it.
        """
        return self.verdict in ("flat", "tilted")

    @property
    def chosen_patches(self) -> tuple[PatchPrediction, ...]:
        """The patches that were read."""
        return tuple(patch for patch in self.patches if patch.chosen)

    def to_json(self) -> dict[str, Any]:
        """The estimate in types that JSON knows; what is not finite becomes None."""
        return {
            **{each.name: _plain(getattr(self, each.name)) for each in fields(self) if each.name != "patches"},
            "trusted": self.trusted,
            "patches": [
                {each.name: _plain(getattr(patch, each.name)) for each in fields(patch)} for patch in self.patches
            ],
        }


@dataclass(frozen=True)
class ImageOptics:
    """What is known about how a frame was taken; its colour and bit depth are seen in the frame itself.

    Parameters
    ----------
    objective : Objective or None
        With the camera behind it, hence the pixel size; None where unknown.
    """

    objective: Objective | None = None


class PredictorCard(Protocol):
    """What a routine has to know of a model before it trusts it with a move."""

    @property
    def dof_um(self) -> float:
        """Depth of field of the optics the model was made for, µm."""

    @property
    def range_um(self) -> float:
        """The model answers for defocus within ± this, µm."""


class FocusPredictor(Protocol):
    """Anything that tells the signed defocus of a frame; routines are handed one and know no more of it."""

    @property
    def name(self) -> str:
        """Name of the model, for records and messages."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 that tells this model from any other, for records."""

    @property
    def card(self) -> PredictorCard:
        """What the model was made for."""

    def estimate(
        self,
        image: npt.NDArray[Any],
        *,
        optics: ImageOptics | None = None,
        insist: bool = False,
        region: npt.NDArray[np.bool_] | None = None,
        bit_depth: int | None = None,
    ) -> FocusEstimate:
        """Tell the defocus of a frame.

        Parameters
        ----------
        image : np.ndarray, shape (Y, X) or (Y, X, 3)
            The frame.
        optics : ImageOptics, optional
            How it was taken; unknown optics, and optics that the model was not made for, are refused.
        insist : bool
            Answer all the same; the answer then carries a warning.
        region : np.ndarray, shape (Y, X), bool, optional
            Only patches inside count.
        bit_depth : int, optional
            Bits that a u16 camera uses; otherwise all 16.

        Raises
        ------
        InputError
            If the frame cannot be read, or its optics are refused.
        """


class PairPredictorCard(PredictorCard, Protocol):
    """What a routine has to know of a model of two shots."""

    @property
    def dz_um(self) -> float:
        """Defocus of the second shot minus the first's that the model was made for, µm; positive."""


class PairPredictor(Protocol):
    """Anything that tells the signed defocus from two shots of a field a known distance apart."""

    @property
    def name(self) -> str:
        """Name of the model, for records and messages."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 that tells this model from any other, for records."""

    @property
    def card(self) -> PairPredictorCard:
        """What the model was made for."""

    def estimate_pair(
        self,
        first: npt.NDArray[Any],
        second: npt.NDArray[Any],
        *,
        dz_um: float,
        optics: ImageOptics | None = None,
        insist: bool = False,
        region: npt.NDArray[np.bool_] | None = None,
        bit_depth: int | None = None,
    ) -> FocusEstimate:
        """Tell the defocus of the **second** of two shots.

        Parameters
        ----------
        first, second : np.ndarray, shape (Y, X) or (Y, X, 3)
            Two frames of one field, of one shape and type.
        dz_um : float
            Defocus of the second minus the first's, µm; either sign.
        optics, insist, region, bit_depth
            As for :meth:`FocusPredictor.estimate`.

        Raises
        ------
        InputError
            If a frame cannot be read, the two do not belong together, their distance is not the model's, or their
            optics are refused.
        """


def _check_direction(focus_direction: int) -> None:
    if focus_direction not in (-1, 1):
        raise InputError(
            f"The focus direction of a drive is +1 or -1; found {focus_direction}. Ask the microscope's configuration,"
            " or find it by a small safe move."
        )


def _check_finite(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise InputError(f"The {name} must be a finite number of µm; found {value}. Nothing may move by it.")


def _plain(value: Any) -> Any:
    """A value that JSON knows: tuples as lists, NumPy scalars unpacked, NaN and infinity as None."""
    if isinstance(value, FieldTilt):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
