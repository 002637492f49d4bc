"""Asks a single-shot model about simulated frames in many ways at once, and keeps what every patch said.

A frame is rendered once. The model reads up to 64 patches of its own size, and patches of every other size: as its
network has convolutions and a mean at the end, it takes patches of any size, though it was taught on one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.selection import SelectionSettings, choose_patches
from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.package import ModelCard, ModelPackage
from napari_autofocus.models.package.members import DEFOCUS_GRAPH
from napari_autofocus.models.seeing.frame import ModelFrame
from single_shot_fields import Field, draws_of
from single_shot_networks import predictor_of

SIZES = (112, 128, 160, 224, 336, 448, 672)
MOST = 64
READ = 32
"""Patches of its own size that the shipped model reads; larger patches are fewer, of the same area together."""
Float32 = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]


def patches_of(size: int, own: int) -> int:
    """How many patches of a size have the area of those that the model reads."""
    return max(1, round(READ * own**2 / size**2))


@dataclass(frozen=True)
class Said:
    """What the patches of a frame said, the most important first.

    Parameters
    ----------
    defocus_um, weight : list of float
        Of each patch; the weight is importance over variance.
    """

    defocus_um: list[float]
    weight: list[float]

    @classmethod
    def of(
        cls, places: Sequence[tuple[int, int]], importance: FloatArray, answers: Float32, card: ModelCard, size: int
    ) -> Said:
        """What the patches at some places answered, and how much each counts."""
        told = [
            PatchPrediction(y, x, size, float(score), True, *(float(value) for value in answer))
            for (y, x), score, answer in zip(places, importance, answers, strict=True)
        ]
        reading = Reading.of(told, card.decision, (1, 1), None)
        if reading is None:
            return cls([], [])
        return cls(reading.defocus_um.round(4).tolist(), [float(f"{weight:.4g}") for weight in reading.weight])


class AnySize:
    """A model's defocus network on one thread of onnxruntime, for patches of any size.

    Parameters
    ----------
    package : ModelPackage
        The model; its graph is made for one size, which only its input says.
    """

    def __init__(self, package: ModelPackage) -> None:
        graph = onnx.load_from_string(package.members[DEFOCUS_GRAPH])
        height, width = graph.graph.input[0].type.tensor_type.shape.dim[2:]
        height.dim_param, width.dim_param = "height", "width"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._input = graph.graph.input[0].name

    def predict(self, patches: Float32) -> Float32:
        """Defocus, uncertainty and probability of a positive defocus, shape (N, 3), of patches (N, C, S, S)."""
        return np.asarray(self._session.run(None, {self._input: patches})[0], np.float32)


class Asker:
    """A model that is asked in many ways.

    Parameters
    ----------
    package : ModelPackage
        The model.
    sizes : tuple of int
        Patch sizes to read besides its own, px.
    """

    def __init__(self, package: ModelPackage, sizes: tuple[int, ...] = SIZES) -> None:
        self.card, self.sizes = package.card, sizes
        self.engine, self.network = predictor_of(package, threads=1).engine, AnySize(package)

    def ask(self, image: npt.NDArray[np.uint8]) -> dict[str, Said]:
        """What the patches say: ``number`` up to 64 of the model's own size, and each size with as much area."""
        card, frame = self.card, ModelFrame.of(image)
        grid = PatchGrid(frame.shape, card.patch_px, card.stride_px)
        importance = self.engine.importance(frame.overview(grid, card.reduction, card.optics.channels))
        most = SelectionSettings(MOST, card.selection.least_importance, card.selection.largest_overlap)
        said = {"number": self._read(frame, grid, importance, most)}
        for size in self.sizes:
            own = PatchGrid(frame.shape, size, size // 2)
            scores = importance_in(own, grid, np.where(importance >= most.least_importance, importance, 0.0))
            chosen = SelectionSettings(patches_of(size, card.patch_px), 1e-6, most.largest_overlap)
            said[str(size)] = self._read(frame, own, scores, chosen)
        return said

    def _read(self, frame: ModelFrame, grid: PatchGrid, importance: Float32, settings: SelectionSettings) -> Said:
        chosen = choose_patches(importance, grid, settings)
        if not chosen:
            return Said([], [])
        answers = self.network.predict(frame.patches(grid, chosen, self.card.optics.channels))
        corners = list(grid)
        scores = np.asarray(importance.ravel()[list(chosen)], np.float64)
        return Said.of([corners[index] for index in chosen], scores, answers, self.card, grid.size)


def importance_in(grid: PatchGrid, judged: PatchGrid, importance: Float32) -> Float32:
    """Importance of patches of another size: the mean over the judged patches whose centres lie inside, or the nearest.

    Shape (rows, columns) of ``grid``.
    """
    centres = np.array(list(judged), np.float64) + judged.size / 2
    scores = np.empty(len(grid), np.float32)
    for index, (y, x) in enumerate(grid):
        away = np.abs(centres - (y + grid.size / 2, x + grid.size / 2)).max(axis=1)
        inside = away < grid.size / 2
        scores[index] = importance.ravel()[inside if inside.any() else [int(away.argmin())]].mean()
    return scores.reshape(grid.shape)


def answers_of(fields: list[Field], draws: int, asker: Asker, kept: Path) -> list[dict[str, Any]]:
    """One record a frame: its truth and what its patches said; fields found in the file are not done again."""
    done = {tuple(record["field"]): record for record in _lines(kept) if record["draws"] == draws}
    kept.parent.mkdir(parents=True, exist_ok=True)
    # The densities in turns: a run that is stopped has seen as much of each.
    began, missing = time.monotonic(), sorted({f for f in fields if _key(f) not in done}, key=lambda f: f.number)
    for number, field in enumerate(missing, 1):
        frames = [
            {"true_um": draw.true_um, "said": {name: asdict(said) for name, said in asker.ask(draw.image).items()}}
            for draw in draws_of(field, draws)
        ]
        record = {"field": _key(field), "stain": field.stain, "draws": draws, "frames": frames}
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")
        done[_key(field)] = record
        left = (time.monotonic() - began) / number * (len(missing) - number) / 60
        print(f"\r{number} of {len(missing)} fields, {left:.0f} min left ", end="", file=sys.stderr, flush=True)
    return [
        {**frame, "density": field.density, "stain": field.stain}
        for field in fields
        for frame in done[_key(field)]["frames"]
    ]


def _key(field: Field) -> tuple[str, str, int]:
    return field.case, field.density, field.number


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue  # cut short when the run was killed; that field is done again
