"""The one-shot estimate beside dense evaluation and eager torch, its parts, and how they grow with the frame.

The frame is a dense simulated one, 2048 x 2048 RGB u8, 3 µm out of focus; 1024² is a part of it, 4096² four copies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bench_machine import Machine, work_of
from bench_rows import Findings, Growth, Limit, Row, Times, take_turns
from napari_autofocus.focus.deciding.decision import decide
from napari_autofocus.focus.deciding.selection import choose_patches
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.package import ModelPackage
from napari_autofocus.models.package.members import DEFOCUS_GRAPH, IMPORTANCE_GRAPH
from napari_autofocus.models.predictor import ModelPredictor, every_patch
from napari_autofocus.models.seeing.engines import TorchEngine
from napari_autofocus.models.seeing.frame import ModelFrame
from single_shot_networks import package_of, predictor_of
from single_shot_speed import make_frame

MODEL = "brightfield-20x"
SIDES = (1024, 2048, 4096)
SMALL_SIDES = (512, 1024)
PARTS = ("importance", "choosing", "defocus", "pooling")
REST_S = 0.1
_DEPTHWISE = (
    "a third of the layers are depthwise convolutions, which do 9 to 25 multiplications for each value that they move"
    " and never reach the rate of a matrix product; two threads, on the small images of the deep layers, wait for each"
    " other"
)


@dataclass(frozen=True)
class Bench:
    """What all parts of this subject use."""

    package: ModelPackage
    predictor: ModelPredictor
    machine: Machine
    threads: int

    @classmethod
    def made(cls, threads: int) -> Bench:
        """With the shipped model, and the rates of this machine."""
        torch.set_num_threads(threads)
        package = package_of(MODEL)
        return cls(package, predictor_of(package, threads), Machine.measured(), threads)

    @property
    def optics(self) -> ImageOptics:
        """The model's own."""
        return ImageOptics(self.package.card.optics.objective)

    def grid(self, frame: np.ndarray) -> PatchGrid:
        """The model's patches in a frame."""
        height, width = frame.shape[:2]
        return PatchGrid((height, width), self.package.card.patch_px, self.package.card.stride_px)

    def importance_s(self, frame: np.ndarray) -> float:
        """Least time of the importance stage: reading the frame once, and the network on its overview."""
        grid, card = self.grid(frame), self.package.card
        overview = ModelFrame.of(frame).overview(grid, card.reduction, card.optics.channels)
        network = work_of(self.package.members[IMPORTANCE_GRAPH], overview.shape)
        return frame.nbytes / self.machine.memory_bytes + self.machine.seconds(network)

    def defocus_s(self, patches: int) -> float:
        """Least time of the defocus stage for so many patches."""
        card = self.package.card
        shape = (patches, card.optics.channels, card.patch_px, card.patch_px)
        return self.machine.seconds(work_of(self.package.members[DEFOCUS_GRAPH], shape))


def measure(quick: bool, threads: int) -> Findings:
    """All rows of this subject."""
    bench = Bench.made(threads)
    full = make_frame(bench.package)
    frames = {1024: np.ascontiguousarray(full[:1024, :1024]), 2048: full, 4096: np.tile(full, (2, 2, 1))}
    frames[512] = np.ascontiguousarray(full[:512, :512])
    sides = SMALL_SIDES if quick else SIDES
    found = Findings(facts={"model": MODEL, "machine": vars(bench.machine), "threads": threads})
    wholes = {side: _whole(bench, frames[side], quick) for side in sides}
    parts = {side: _parts(bench, frames[side], quick) for side in sides}
    for side in sides:
        found.rows.append(_whole_row(bench, frames[side], wholes[side]))
    found.rows += _part_rows(bench, frames[sides[1]], parts[sides[1]])
    pixels = tuple(float(side**2) for side in sides)
    series: dict[str, Callable[[int], Times]] = {name: lambda side, name=name: wholes[side][name] for name in _NAMES}
    series |= {part: lambda side, part=part: parts[side][part] for part in PARTS}
    for name, times_at in series.items():
        found.growths.append(Growth(name, "pixels", pixels, tuple(1e3 * times_at(side).median_s for side in sides)))
    found.facts["gflop of 32 patches"] = _gflop(bench)
    return found


_ESTIMATE, _SAME, _DENSE, _EAGER = _NAMES = (
    "estimate",
    "the same patches, eager torch",
    "all patches, onnxruntime",
    "all patches, eager torch",
)


def _whole(bench: Bench, frame: np.ndarray, quick: bool) -> dict[str, Times]:
    """The estimate of a frame, and what one would do without choosing patches or without onnxruntime."""
    every = bench.predictor.variant(choose=every_patch)
    torch_engine = TorchEngine(bench.package, "cpu")
    eager = ModelPredictor(bench.package, torch_engine, choose=every_patch)
    same = ModelPredictor(bench.package, torch_engine)
    models = dict(zip(_NAMES, (bench.predictor, same, every, eager), strict=True))
    calls = {name: _asking(model, frame, bench.optics) for name, model in models.items()}
    return take_turns(calls, seconds=0.5 if quick else 6.0, rest_s=REST_S)


def _asking(model: ModelPredictor, frame: np.ndarray, optics: ImageOptics) -> Callable[[], Any]:
    return lambda: model.estimate(frame, optics=optics)


def _whole_row(bench: Bench, frame: np.ndarray, times: dict[str, Times]) -> Row:
    chosen = len(bench.predictor.estimate(frame, optics=bench.optics).chosen_patches)
    least_s = bench.importance_s(frame) + bench.defocus_s(chosen)
    name = f"one-shot estimate, {frame.shape[0]} x {frame.shape[1]} RGB, {chosen} of {len(bench.grid(frame))} patches"
    limit = Limit(1e3 * least_s, "the networks' operations, and reading the frame once", _DEPTHWISE)
    others = {other: found for other, found in times.items() if other != _ESTIMATE}
    return Row.of_times(name, times[_ESTIMATE], against=others, limit=limit)


def _parts(bench: Bench, frame: np.ndarray, quick: bool) -> dict[str, Times]:
    """The stages one by one, each on what the one before gave."""
    card, engine = bench.package.card, bench.predictor.engine
    grid, shot = bench.grid(frame), ModelFrame.of(frame)
    channels = card.optics.channels
    importance = engine.importance(shot.overview(grid, card.reduction, channels))
    chosen = choose_patches(importance, grid, card.selection)
    judged = bench.predictor.estimate(frame, optics=bench.optics).patches
    calls = {
        "importance": lambda: engine.importance(shot.overview(grid, card.reduction, channels)),
        "overview alone": lambda: shot.overview(grid, card.reduction, channels),
        "choosing": lambda: choose_patches(importance, grid, card.selection),
        "defocus": lambda: engine.predict(shot.patches(grid, chosen, channels)),
        "cutting patches alone": lambda: shot.patches(grid, chosen, channels),
        "pooling": lambda: decide(
            judged,
            card.decision,
            field_shape=shot.shape,
            pixel_size_um=card.optics.pixel_size_um,
        ),
    }
    return take_turns(calls, seconds=0.3 if quick else 2.0, rest_s=REST_S / 2)


def _part_rows(bench: Bench, frame: np.ndarray, parts: dict[str, Times]) -> list[Row]:
    chosen = len(bench.predictor.estimate(frame, optics=bench.optics).chosen_patches)
    limits = {
        "importance": Limit(1e3 * bench.importance_s(frame), "the network's operations, and reading the frame once",
                            "the frame is made eight times smaller in three steps, each of which writes and reads a"
                            " smaller frame; the network's first layers have 6 and 16 channels, too few to fill the"
                            " processor's registers"),
        "defocus": Limit(1e3 * bench.defocus_s(chosen), "the network's operations", _DEPTHWISE),
    }  # fmt: skip
    size = f"{frame.shape[0]} x {frame.shape[1]}"
    inner = {"importance": "overview alone", "defocus": "cutting patches alone"}
    return [
        Row.of_times(
            f"{part}, {size}",
            parts[part],
            against={inner[part]: parts[inner[part]]} if part in inner else None,
            limit=limits.get(part),
        )
        for part in PARTS
    ]


def _gflop(bench: Bench) -> float:
    card = bench.package.card
    shape = (32, card.optics.channels, card.patch_px, card.patch_px)
    return work_of(bench.package.members[DEFOCUS_GRAPH], shape).gflop
