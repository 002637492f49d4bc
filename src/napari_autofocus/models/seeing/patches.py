"""What all models of one kind share: the importance network sees a whole frame, reduced; few patches are read in full.

What a patch is cut from (a frame, the difference of two shots) is said by whoever reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.selection import choose_patches
from napari_autofocus.focus.estimate import DecisionSettings, ImageOptics, PatchPrediction
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.package import ModelCard, ModelPackage
from napari_autofocus.models.seeing.engines import Engine, OnnxEngine
from napari_autofocus.models.seeing.frame import ModelFrame

BoolArray = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Choice = Callable[[Float32, PatchGrid, BoolArray | None], Sequence[int]]
"""Which patches are read: importance (rows, columns), grid and the patches allowed in; indices out."""

_LARGEST_BATCH = 256
MOST_BESIDE_LIVE = 20
"""Patches read of a live frame, at most: a third less time, a little more uncertainty (ours)."""


class PatchReader:
    """A model's two networks with its patch grid and its choice of patches; safe to be asked from several threads.

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
        self.choose = choose or self._most_important
        self.decision = decision or package.card.decision

    @property
    def card(self) -> ModelCard:
        """What the model was made for."""
        return self.package.card

    def one_thread_engine(self) -> Engine | None:
        """An engine that runs on one thread; None where the model runs on an accelerator."""
        if not isinstance(self.engine, OnnxEngine):
            return None
        return OnnxEngine(self.package, providers=self.engine.providers, threads=1)

    def choose_few(self, importance: Float32, grid: PatchGrid, allowed: BoolArray | None) -> Sequence[int]:
        """The :data:`MOST_BESIDE_LIVE` most important of the patches that are read otherwise."""
        return self.choose(importance, grid, allowed)[:MOST_BESIDE_LIVE]

    def grid(self, frame: ModelFrame) -> PatchGrid:
        """Where the patches of a frame lie. Raises InputError if it holds none."""
        if min(frame.shape) < self.card.patch_px:
            height, width = frame.shape
            raise InputError(
                f"A frame of {height} x {width} px is too small for the model {self.card.name}, which reads patches of"
                f" {self.card.patch_px} px; take a larger one."
            )
        return PatchGrid(frame.shape, self.card.patch_px, self.card.stride_px)

    def look(
        self, frame: ModelFrame, read: ModelFrame, grid: PatchGrid, allowed: BoolArray | None
    ) -> list[PatchPrediction]:
        """Both stages: every patch that is allowed, with a prediction where it was chosen.

        Parameters
        ----------
        frame : ModelFrame
            What importance is judged by.
        read : ModelFrame
            What the chosen patches are cut from, of the same shape.
        grid : PatchGrid
            Where patches lie.
        allowed : np.ndarray, shape (rows, columns), bool, or None
            Patches that may be chosen and are told.
        """
        channels = self.card.optics.channels
        importance = self.engine.importance(frame.overview(grid, self.card.reduction, channels))
        chosen = self.choose(importance, grid, allowed)
        predicted: dict[int, list[float]] = {}
        for start in range(0, len(chosen), _LARGEST_BATCH):
            batch = chosen[start : start + _LARGEST_BATCH]
            answers = self.engine.predict(read.patches(grid, batch, channels))
            predicted.update(zip(batch, answers.tolist(), strict=True))
        scores = importance.ravel().tolist()
        inside = [True] * len(grid) if allowed is None else allowed.ravel().tolist()
        return [
            self._corrected(PatchPrediction(y, x, grid.size, score, index in predicted, *predicted.get(index, ())))
            for index, ((y, x), score) in enumerate(zip(grid, scores, strict=True))
            if inside[index]
        ]

    def pixel_size_um(self, optics: ImageOptics | None) -> float:
        """The frame's own pixel size where it is known, otherwise the one the model was made for."""
        if optics is not None and optics.objective is not None:
            return optics.objective.pixel_size_um
        return self.card.optics.pixel_size_um

    def _corrected(self, patch: PatchPrediction) -> PatchPrediction:
        """The patch with the defocus that its reading stands for; its uncertainty and doubt about the side stay.

        Moving the side along with the value leaves more fields near focus undecided, since even optics then seem to
        know theirs (measured on calibration fields).
        """
        response = self.decision.response
        if response is None or patch.defocus_um is None:
            return patch
        return replace(patch, defocus_um=float(response.defocus(patch.defocus_um)))

    def _most_important(self, importance: Float32, grid: PatchGrid, allowed: BoolArray | None) -> Sequence[int]:
        return choose_patches(importance, grid, self.card.selection, allowed=allowed)


def every_patch(importance: Float32, grid: PatchGrid, allowed: BoolArray | None) -> Sequence[int]:
    """All patches of the grid that touch but do not overlap, whatever their importance: to compare with."""
    every = -(-grid.size // grid.step)
    kept = np.zeros(importance.shape, bool)
    kept[::every, ::every] = True
    if allowed is not None:
        kept &= allowed
    return tuple(np.flatnonzero(kept).tolist())
