"""A model package as a ``FocusPredictor``: one frame in, its signed defocus with a verdict out.

The importance network sees the whole frame, reduced; only the patches chosen by it are read at full resolution.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.decision import decide
from napari_autofocus.focus.estimate import DecisionSettings, FocusEstimate, ImageOptics, PatchPrediction
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.selection import choose_patches, patches_inside
from napari_autofocus.models.engines import Engine, OnnxEngine, TorchEngine
from napari_autofocus.models.frame import ModelFrame
from napari_autofocus.models.library import find_model
from napari_autofocus.models.optics_check import check_optics
from napari_autofocus.models.package import ModelCard, ModelPackage, open_package

BoolArray = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Choice = Callable[[Float32, PatchGrid, BoolArray | None], Sequence[int]]
"""Which patches are read: importance (rows, columns), grid and the patches allowed in; indices out."""

_LARGEST_BATCH = 256
MOST_BESIDE_LIVE = 20
"""Patches read of a live frame, at most: a third less time, a little more uncertainty (ours)."""


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
    if device is not None and providers is not None:
        raise InputError("A model runs either with onnxruntime's providers or on a torch device; name one of the two.")
    engine = OnnxEngine(package, providers=providers) if device is None else TorchEngine(package, device)
    return ModelPredictor(package, engine)


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
        self.package = package
        self.engine: Engine = engine or OnnxEngine(package)
        self._choose = choose or self._most_important
        self._decision = decision or package.card.decision

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
        return ModelPredictor(self.package, self.engine, choose=choose, decision=decision or self._decision)

    def on_one_thread(self) -> ModelPredictor:
        """The same model for one of several processes that share the cores; on an accelerator the model itself."""
        if not isinstance(self.engine, OnnxEngine):
            return self
        engine = OnnxEngine(self.package, providers=self.engine.providers, threads=1)
        return ModelPredictor(self.package, engine, choose=self._choose, decision=self._decision)

    def sparing(self) -> ModelPredictor:
        """The same model for use beside a live image; on an accelerator the model itself.

        It runs on one thread, since several wait for each other at full speed: they answer a little sooner and take
        twice the processor. And it reads the :data:`MOST_BESIDE_LIVE` most important of the patches it would read.
        """
        if not isinstance(self.engine, OnnxEngine):
            return self
        engine = OnnxEngine(self.package, providers=self.engine.providers, threads=1)
        return ModelPredictor(self.package, engine, choose=self._choose_few, decision=self._decision)

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
        warnings = check_optics(self.card, optics, frame.colour, insist=insist)
        grid = self._grid(frame)
        patches = self._look(frame, grid, None if region is None else patches_inside(region, grid))
        return decide(
            patches,
            self._decision,
            field_shape=frame.shape,
            pixel_size_um=self._pixel_size_um(optics),
            model=self.name,
            warnings=warnings,
            seconds=time.perf_counter() - start,
        )

    def _grid(self, frame: ModelFrame) -> PatchGrid:
        if min(frame.shape) < self.card.patch_px:
            height, width = frame.shape
            raise InputError(
                f"A frame of {height} x {width} px is too small for the model {self.name}, which reads patches of"
                f" {self.card.patch_px} px; take a larger one."
            )
        return PatchGrid(frame.shape, self.card.patch_px, self.card.stride_px)

    def _look(self, frame: ModelFrame, grid: PatchGrid, allowed: BoolArray | None) -> list[PatchPrediction]:
        """Both stages: every patch that is allowed, with a prediction where it was chosen."""
        channels = self.card.optics.channels
        importance = self.engine.importance(frame.overview(grid, self.card.reduction, channels))
        chosen = self._choose(importance, grid, allowed)
        predicted: dict[int, list[float]] = {}
        for start in range(0, len(chosen), _LARGEST_BATCH):
            batch = chosen[start : start + _LARGEST_BATCH]
            answers = self.engine.predict(frame.patches(grid, batch, channels))
            predicted.update(zip(batch, answers.tolist(), strict=True))
        scores = importance.ravel().tolist()
        inside = [True] * len(grid) if allowed is None else allowed.ravel().tolist()
        return [
            PatchPrediction(y, x, grid.size, score, index in predicted, *predicted.get(index, ()))
            for index, ((y, x), score) in enumerate(zip(grid, scores, strict=True))
            if inside[index]
        ]

    def _most_important(self, importance: Float32, grid: PatchGrid, allowed: BoolArray | None) -> Sequence[int]:
        return choose_patches(importance, grid, self.card.selection, allowed=allowed)

    def _choose_few(self, importance: Float32, grid: PatchGrid, allowed: BoolArray | None) -> Sequence[int]:
        return self._choose(importance, grid, allowed)[:MOST_BESIDE_LIVE]

    def _pixel_size_um(self, optics: ImageOptics | None) -> float:
        """The frame's own pixel size where it is known, otherwise the one the model was made for."""
        if optics is not None and optics.objective is not None:
            return optics.objective.pixel_size_um
        return self.card.optics.pixel_size_um


def every_patch(importance: Float32, grid: PatchGrid, allowed: BoolArray | None) -> Sequence[int]:
    """All patches of the grid that touch but do not overlap, whatever their importance: to compare with."""
    every = -(-grid.size // grid.step)
    kept = np.zeros(importance.shape, bool)
    kept[::every, ::every] = True
    if allowed is not None:
        kept &= allowed
    return tuple(np.flatnonzero(kept).tolist())
