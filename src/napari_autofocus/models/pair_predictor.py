"""A model package as a ``PairPredictor``: two shots in, the signed defocus of the second with a verdict out.

Importance is judged by the second shot; the patches chosen are cut from the difference image of both.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.decision import decide
from napari_autofocus.focus.deciding.selection import patches_inside
from napari_autofocus.focus.estimate import DecisionSettings, FocusEstimate, ImageOptics
from napari_autofocus.focus.shot_pairs import moved_prediction, pair_likeness
from napari_autofocus.models.difference import difference_image
from napari_autofocus.models.library import find_model
from napari_autofocus.models.package import ModelCard, ModelPackage, open_any_package, open_package
from napari_autofocus.models.package.card import PairCard
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.models.seeing.engines import Engine, engine_for
from napari_autofocus.models.seeing.frame import ModelFrame
from napari_autofocus.models.seeing.optics_check import check_distance, check_optics
from napari_autofocus.models.seeing.patches import Choice, PatchReader

BoolArray = npt.NDArray[np.bool_]


def load_pair_model(name_or_path: str | os.PathLike[str], *, device: str | None = None) -> PairModelPredictor:
    """Open a model of two shots by name or file, verified, ready to estimate.

    Parameters
    ----------
    name_or_path : str or path-like
        A model that is shipped (``two-shot-20x``) or lies in the user's folder, or a file.
    device : str, optional
        Run with torch on this device (``cuda``, ``mps``) instead of onnxruntime on the CPU.

    Raises
    ------
    InputError
        In one sentence, if there is no such model, it takes one shot only, or its file cannot be trusted.
    """
    package = open_package(find_model(name_or_path), kind="two-shot")
    return PairModelPredictor(package, engine_for(package, device=device))


def load_focus_model(name_or_path: str | os.PathLike[str]) -> ModelPredictor | PairModelPredictor:
    """Open a model that tells defocus, from one shot or from two.

    Raises
    ------
    InputError
        In one sentence, if there is no such model, or it tells no defocus.
    """
    path = find_model(name_or_path)
    package = open_any_package(path)
    if not isinstance(package.card, ModelCard):
        return ModelPredictor(open_package(path))  # which tells what the model does instead
    known = cast("ModelPackage", package)
    return PairModelPredictor(known) if package.card.kind == "two-shot" else ModelPredictor(known)


class PairModelPredictor:
    """Tells the signed defocus of the second of two shots; safe to be asked from several threads.

    Parameters
    ----------
    package : ModelPackage
        A model of two shots.
    engine : Engine, optional
        What runs it; onnxruntime on the CPU by default.
    decision : DecisionSettings, optional
        In place of the model's own.
    choose : callable, optional
        Which patches are read, in place of the model's own selection.

    Raises
    ------
    InputError
        If the model takes one shot.
    """

    def __init__(
        self,
        package: ModelPackage,
        engine: Engine | None = None,
        *,
        decision: DecisionSettings | None = None,
        choose: Choice | None = None,
    ) -> None:
        if package.card.kind != "two-shot":
            raise InputError(f"The model {package.card.name} takes one shot, not two; use ModelPredictor for it.")
        self._reader = PatchReader(package, engine, choose=choose, decision=decision)
        self.package, self.engine = package, self._reader.engine
        self._card = PairCard.from_dict(package.card.to_dict())

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.package.card.name

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything in the package."""
        return self.package.fingerprint

    @property
    def card(self) -> PairCard:
        """What the model was made for."""
        return self._card

    def variant(self, *, choose: Choice | None = None, decision: DecisionSettings | None = None) -> PairModelPredictor:
        """The same networks with other patches or another decision, to compare with."""
        return PairModelPredictor(self.package, self.engine, choose=choose, decision=decision or self._reader.decision)

    def on_one_thread(self) -> PairModelPredictor:
        """The same model for one of several processes that share the cores; on an accelerator the model itself."""
        return self._with(self._reader.choose)

    def sparing(self) -> PairModelPredictor:
        """The same model for use beside a live image, on one thread and with fewer patches; see ``ModelPredictor``."""
        return self._with(self._reader.choose_few)

    def _with(self, choose: Choice) -> PairModelPredictor:
        engine = self._reader.one_thread_engine()
        if engine is None:
            return self
        return PairModelPredictor(self.package, engine, choose=choose, decision=self._reader.decision)

    def estimate_pair(
        self,
        first: npt.NDArray[Any],
        second: npt.NDArray[Any],
        *,
        dz_um: float,
        optics: ImageOptics | None = None,
        insist: bool = False,
        region: BoolArray | None = None,
        bit_depth: int | None = None,
    ) -> FocusEstimate:
        """Tell the defocus of the **second** of two shots.

        Parameters
        ----------
        first, second : np.ndarray, shape (Y, X) or (Y, X, 3)
            Two frames of one field, of one shape and type: u8, u16, or float in [0, 1].
        dz_um : float
            Defocus of the second minus the first's, µm; either sign.
        optics : ImageOptics, optional
            How both were taken.
        insist : bool
            Answer although the optics or the distance are unknown or unlike the model's; every difference is then in
            ``warnings``.
        region : np.ndarray, shape (Y, X), bool, optional
            Only patches with at least half of their area inside count.
        bit_depth : int, optional
            Bits that a u16 camera uses; otherwise all 16.

        Raises
        ------
        InputError
            If a frame cannot be read or holds no patch, the two are not alike in shape and type, or their distance or
            their optics are refused.
        """
        start = time.perf_counter()
        shots = _Shots.of(first, second, dz_um, bit_depth)
        warnings = check_distance(self.card, dz_um, insist=insist)
        warnings += check_optics(self.card, optics, shots.second.colour, insist=insist)
        grid = self._reader.grid(shots.second)
        allowed = None if region is None else patches_inside(region, grid)
        patches = self._reader.look(shots.second, shots.difference(), grid, allowed)
        found = decide(
            [moved_prediction(patch, shots.from_upper_um) for patch in patches],
            self._reader.decision,
            field_shape=shots.second.shape,
            pixel_size_um=self._reader.pixel_size_um(optics),
            model=self.name,
            warnings=warnings,
        )
        judged = self._doubted(found, shots)
        return replace(judged, seconds=time.perf_counter() - start)

    def _doubted(self, found: FocusEstimate, shots: _Shots) -> FocusEstimate:
        """The estimate, refused where the shots are not what they should be, or lie beyond what the model knows."""
        windows = [
            (slice(patch.y, patch.y + patch.size), slice(patch.x, patch.x + patch.size))
            for patch in found.chosen_patches
        ]
        likeness = pair_likeness(shots.first.pixels, shots.second.pixels, windows)
        doubt = likeness.doubt(shots.dz_um) if likeness is not None else ""
        if doubt:
            return replace(found, verdict="unsure", reasons=(doubt, *found.reasons))
        upper_um = (found.defocus_um or 0.0) - shots.from_upper_um
        if shots.is_turned and found.trusted and abs(upper_um) > self.card.range_um + self.card.dof_um / 2:
            beyond = (
                f"The first shot lies at {upper_um:+.2f} µm, beyond the ± {self.card.range_um:g} µm that the model"
                " answers for; come nearer to focus and take both again."
            )
            return replace(found, verdict="out_of_range", reasons=(beyond, *found.reasons))
        return found


@dataclass(frozen=True, eq=False)
class _Shots:
    """Two frames that belong together.

    A model knows the difference of a shot of larger defocus and one of smaller defocus; where the second is the one of
    smaller defocus, both are taken the other way round, and the answer is of the first.
    """

    first: ModelFrame
    second: ModelFrame
    dz_um: float

    @classmethod
    def of(cls, first: npt.NDArray[Any], second: npt.NDArray[Any], dz_um: float, bit_depth: int | None) -> _Shots:
        low, high = (ModelFrame.of(image, bit_depth=bit_depth) for image in (first, second))
        for what, one, other in (("shape", *_shapes(low, high)), ("type", low.pixels.dtype, high.pixels.dtype)):
            if one != other:
                raise InputError(
                    f"Two shots of one field have one shape and type; the {what} of the first is {one}, of the second"
                    f" {other}: take both with the same camera settings."
                )
        return cls(low, high, dz_um)

    @property
    def is_turned(self) -> bool:
        """Whether the second has the smaller defocus."""
        return self.dz_um < 0

    @property
    def from_upper_um(self) -> float:
        """Defocus of the second shot minus that of the shot of larger defocus, µm."""
        return min(self.dz_um, 0.0)

    def difference(self) -> ModelFrame:
        """The difference image as a frame to cut patches from."""
        lower, upper = (self.second, self.first) if self.is_turned else (self.first, self.second)
        return ModelFrame(difference_image(lower.pixels, upper.pixels, upper.full_scale), 1.0)


def _shapes(first: ModelFrame, second: ModelFrame) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return first.pixels.shape, second.pixels.shape
