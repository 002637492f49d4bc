"""A model package as a ``FocusPredictor``: one frame in, its signed defocus with a verdict out.

The importance network sees the whole frame, reduced; only the patches chosen by it are read at full resolution.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.deciding.decision import decide
from napari_autofocus.focus.deciding.selection import patches_inside
from napari_autofocus.focus.estimate import DecisionSettings, FocusEstimate, ImageOptics
from napari_autofocus.models.library import find_model
from napari_autofocus.models.package import ModelCard, ModelPackage, open_package
from napari_autofocus.models.seeing.engines import Engine, engine_for
from napari_autofocus.models.seeing.exposure_check import check_exposure
from napari_autofocus.models.seeing.frame import ModelFrame
from napari_autofocus.models.seeing.optics_check import check_optics
from napari_autofocus.models.seeing.patches import MOST_BESIDE_LIVE, Choice, PatchReader, every_patch

__all__ = ["MOST_BESIDE_LIVE", "Choice", "ModelPredictor", "every_patch", "load_model"]

BoolArray = npt.NDArray[np.bool_]


def load_model(
    name_or_path: str | os.PathLike[str], *, providers: Sequence[str] | None = None, device: str | None = None
) -> ModelPredictor:
    """Open a model by name or file, verified, ready to estimate.

    Parameters
    ----------
    name_or_path : str or path-like
        A model that is shipped (``brightfield-20x``) or lies in the user's folder, or a file.
    providers : sequence of str, optional
        onnxruntime's execution providers in order of preference; the CPU by default.
    device : str, optional
        Run with torch on this device (``cuda``, ``mps``) instead.

    Raises
    ------
    InputError
        In one sentence, if there is no such model, or its file cannot be trusted.
    """
    package = open_package(find_model(name_or_path))
    return ModelPredictor(package, engine_for(package, providers=providers, device=device))


class ModelPredictor:
    """Tells the signed defocus of frames; safe to be asked from several threads.

    Parameters
    ----------
    package : ModelPackage
        The model.
    engine : Engine, optional
        What runs it; onnxruntime on the CPU by default.
    choose : callable, optional
        Which patches are read, in place of the model's own selection; :func:`every_patch`, for instance.
    decision : DecisionSettings, optional
        In place of the model's own.
    """

    def __init__(
        self,
        package: ModelPackage,
        engine: Engine | None = None,
        *,
        choose: Choice | None = None,
        decision: DecisionSettings | None = None,
    ) -> None:
        self._reader = PatchReader(package, engine, choose=choose, decision=decision)
        self.package, self.engine = package, self._reader.engine

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything in the package."""
        return self.package.fingerprint

    @property
    def card(self) -> ModelCard:
        """What the model was made for."""
        return self.package.card

    def variant(self, *, choose: Choice | None = None, decision: DecisionSettings | None = None) -> ModelPredictor:
        """The same networks with other patches or another decision, to compare with."""
        return ModelPredictor(self.package, self.engine, choose=choose, decision=decision or self._reader.decision)

    def on_one_thread(self) -> ModelPredictor:
        """The same model for one of several processes that share the cores; on an accelerator the model itself."""
        return self._with(self._reader.choose)

    def sparing(self) -> ModelPredictor:
        """The same model for use beside a live image; on an accelerator the model itself.

        It runs on one thread, since several wait for each other at full speed: they answer a little sooner and take
        twice the processor. And it reads the :data:`MOST_BESIDE_LIVE` most important of the patches it would read.
        """
        return self._with(self._reader.choose_few)

    def _with(self, choose: Choice) -> ModelPredictor:
        engine = self._reader.one_thread_engine()
        if engine is None:
            return self
        return ModelPredictor(self.package, engine, choose=choose, decision=self._reader.decision)

    def estimate(
        self,
        image: npt.NDArray[Any],
        *,
        optics: ImageOptics | None = None,
        insist: bool = False,
        region: BoolArray | None = None,
        bit_depth: int | None = None,
    ) -> FocusEstimate:
        """Tell the defocus of a frame.

        Parameters
        ----------
        image : np.ndarray, shape (Y, X) or (Y, X, 3)
            u8, u16, or float in [0, 1].
        optics : ImageOptics, optional
            How it was taken.
        insist : bool
            Answer although the optics are unknown or unlike the model's; every difference is then in ``warnings``. A
            model for colour takes a grey image as all three colours, one for grey images a colour image's luminance.
        region : np.ndarray, shape (Y, X), bool, optional
            Only patches with at least half of their area inside count.
        bit_depth : int, optional
            Bits that a u16 camera uses; otherwise all 16.

        Raises
        ------
        InputError
            If the image cannot be read, holds no patch, or its optics are refused.
        """
        start = time.perf_counter()
        frame = ModelFrame.of(image, bit_depth=bit_depth)
        warnings = check_optics(self.card, optics, frame.colour, insist=insist) + check_exposure(self.card, frame)
        grid = self._reader.grid(frame)
        patches = self._reader.look(frame, frame, grid, None if region is None else patches_inside(region, grid))
        return decide(
            patches,
            self._reader.decision,
            field_shape=frame.shape,
            pixel_size_um=self._reader.pixel_size_um(optics),
            model=self.name,
            warnings=warnings,
            seconds=time.perf_counter() - start,
        )
