"""Two shots: their defocus beside one shot's, and the image in focus that TSVA makes of them beside Richardson-Lucy.

Richardson-Lucy (scikit-image, 15 rounds, point images of 97 px) is told the true point image, which no user has; its
colours cost alike, so that one of three is timed and counted three times. Shots of 512 x 512 px are simulated; larger
ones are them side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch
from skimage import restoration

from bench_machine import Machine, work_of
from bench_rows import MS, Findings, Growth, Limit, Row, Times, take_turns
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.library import find_model
from napari_autofocus.models.package.members import DEFOCUS_GRAPH, IMPORTANCE_GRAPH, REFOCUS_GRAPH
from napari_autofocus.models.package.reading import open_virtual_package
from napari_autofocus.models.pair_predictor import PairModelPredictor, load_pair_model
from napari_autofocus.models.refocus.engines import OnnxRefocusEngine, TorchRefocusEngine
from napari_autofocus.models.refocus.tiles import spans
from napari_autofocus.models.refocuser import TILE_PX, VirtualRefocuser
from napari_autofocus.models.seeing.engines import OnnxEngine
from napari_autofocus.models.seeing.patches import every_patch
from napari_autofocus.models.simulated.pairs import SimulatedPairs, simulate_pairs
from single_shot_networks import package_of, predictor_of

PAIR_MODEL, SMALL_MODEL, ONE_SHOT, TSVA = "two-shot-20x", "two-shot-small-20x", "brightfield-20x", "tsva-20x"
PAIR_SIDES, TSVA_SIDES = (1024, 2048), (512, 1024, 2048)
SEED = 911_000
ROUNDS, KERNEL_PX, BORDER_PX, COLOURS = 15, 97, 64, 3
LARGEST_DECONVOLVED = 1024
REST_S = 0.1
_PAIR_BEYOND = (
    "depthwise convolutions never reach the rate of a matrix product; the difference image is made of both frames"
    " whole, and the frames are compared to see whether the stage has moved"
)
_TSVA_BEYOND = (
    "tiles overlap so that no seam is seen, and convolutions of 12 to 32 channels on large images wait for memory more"
    " than they multiply"
)


def measure(quick: bool, threads: int) -> Findings:
    """All rows of this subject."""
    torch.set_num_threads(threads)
    machine = Machine.measured()
    found = Findings(facts={"threads": threads, "machine": vars(machine), "models": [PAIR_MODEL, SMALL_MODEL, TSVA]})
    shots = _shots()
    pair_sides, tsva_sides = ((512,), (512,)) if quick else (PAIR_SIDES, TSVA_SIDES)
    _measure_pairs(found, machine, {side: _side_by_side(shots, side) for side in pair_sides}, quick, threads)
    _measure_tsva(found, machine, {side: _side_by_side(shots, side) for side in tsva_sides}, quick, threads)
    return found


Shots = tuple[np.ndarray, np.ndarray]


def _shots() -> Shots:
    settings = SimulatedPairs(densities=("dense",), density_shares=(1.0,))
    (pair,) = simulate_pairs(settings, [SEED], 1, 1.0, shape=(512, 512))
    return pair.first, pair.second


def _side_by_side(shots: Shots, side: int) -> Shots:
    times = side // 512
    first, second = (np.tile(shot, (times, times, 1)) for shot in shots)
    return first, second


def _measure_pairs(found: Findings, machine: Machine, shots: dict[int, Shots], quick: bool, threads: int) -> None:
    """The defocus of the second of two shots."""
    model, small = (_on_threads(load_pair_model(name), threads) for name in (PAIR_MODEL, SMALL_MODEL))
    every, one = model.variant(choose=every_patch), predictor_of(package_of(ONE_SHOT), threads)
    optics = ImageOptics(model.package.card.optics.objective)
    medians: dict[str, list[float]] = {}
    for side, (first, second) in shots.items():

        def asking(asked: PairModelPredictor, first: Any = first, second: Any = second) -> Callable[[], Any]:
            return lambda: asked.estimate_pair(first, second, dz_um=2.0, optics=optics)

        calls = {"two shots": asking(model), f"{SMALL_MODEL}": asking(small), "all patches": asking(every)}
        calls["one shot"] = lambda second=second: one.estimate(second, optics=optics)
        times = take_turns(calls, seconds=0.5 if quick else 3.0, rest_s=REST_S)
        chosen = len(model.estimate_pair(first, second, dz_um=2.0, optics=optics).chosen_patches)
        least_s = machine.seconds(_pair_work(model, chosen)) + 2 * first.nbytes / machine.memory_bytes
        least_s += machine.seconds(work_of(model.package.members[IMPORTANCE_GRAPH], _overview_shape(side)))
        limit = Limit(MS * least_s, "the networks' operations, and reading both frames once", _PAIR_BEYOND)
        others = {name: each for name, each in times.items() if name != "two shots"}
        name = f"two-shot estimate, {side} x {side} RGB, {chosen} patches"
        found.rows.append(Row.of_times(name, times["two shots"], against=others, limit=limit))
        _note(medians, times)
    _grow(found, "two shots", tuple(shots), medians)


def _on_threads(model: PairModelPredictor, threads: int) -> PairModelPredictor:
    return PairModelPredictor(model.package, OnnxEngine(model.package, threads=threads))


def _pair_work(model: PairModelPredictor, patches: int) -> Any:
    card = model.package.card
    return work_of(model.package.members[DEFOCUS_GRAPH], (patches, card.optics.channels, card.patch_px, card.patch_px))


def _overview_shape(side: int) -> tuple[int, int, int, int]:
    return 1, COLOURS, side // 8, side // 8


def _measure_tsva(found: Findings, machine: Machine, shots: dict[int, Shots], quick: bool, threads: int) -> None:
    """The image in focus."""
    package = open_virtual_package(find_model(TSVA))
    ours = VirtualRefocuser(package, OnnxRefocusEngine(package, threads=threads))
    eager = VirtualRefocuser(package, TorchRefocusEngine(package, "cpu"))
    medians: dict[str, list[float]] = {}
    for side, pair in shots.items():
        calls: dict[str, Callable[[], Any]] = {"TSVA": lambda pair=pair: _recover(ours, pair)}
        if side <= LARGEST_DECONVOLVED:
            calls["eager torch"] = lambda pair=pair: _recover(eager, pair)
            calls["Richardson-Lucy"] = lambda pair=pair: _richardson_lucy(pair[0])
        times = take_turns(calls, seconds=1.0 if quick else 4.0, most=8, least=2, rest_s=REST_S)
        if "Richardson-Lucy" in times:
            times["Richardson-Lucy"] = _three_times(times["Richardson-Lucy"])
        limit = Limit(MS * _tsva_s(ours, machine, side), "the network's operations on the tiles read", _TSVA_BEYOND)
        others = {name: each for name, each in times.items() if name != "TSVA"}
        found.rows.append(Row.of_times(f"TSVA, {side} x {side} RGB", times["TSVA"], against=others, limit=limit))
        _note(medians, times)
    for name in medians:
        _grow(found, name, tuple(shots), medians)
    if not quick:
        found.skipped[f"Richardson-Lucy and eager torch at {TSVA_SIDES[-1]}²"] = "they take minutes; see their growth."


def _recover(model: VirtualRefocuser, shots: Shots) -> Any:
    return _to_end(model.refocus(*shots, optics=ImageOptics(model.card.optics.objective)))


def _to_end(steps: Generator[Any, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


def _richardson_lucy(shot: np.ndarray) -> np.ndarray:
    """One colour, padded as it must be; what it shows does not matter for its time."""
    at = np.arange(KERNEL_PX) - KERNEL_PX // 2
    kernel = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / 50.0)
    plane = np.pad(shot[..., 1].astype(np.float64) / 255, BORDER_PX, mode="reflect")
    return restoration.richardson_lucy(plane, kernel / kernel.sum(), ROUNDS, filter_epsilon=1e-6)


def _three_times(times: Times) -> Times:
    return Times(tuple(COLOURS * s for s in times.wall_s), tuple(COLOURS * s for s in times.cpu_s))


def _tsva_s(model: VirtualRefocuser, machine: Machine, side: int) -> float:
    """Least time: the network on all tiles, whose overlaps count twice."""
    card = model.card
    tiles = spans(side, TILE_PX, card.overlap_px, card.stride_px)
    read = sum(tile.stop - tile.start for tile in tiles) ** 2
    work = work_of(model.package.members[REFOCUS_GRAPH], (1, 2 * card.optics.channels, 512, 512))
    return machine.seconds(work) * read / 512**2


def _note(medians: dict[str, list[float]], times: dict[str, Times]) -> None:
    for name, each in times.items():
        medians.setdefault(name, []).append(MS * each.median_s)


def _grow(found: Findings, name: str, sides: tuple[int, ...], medians: dict[str, list[float]]) -> None:
    values = medians[name]
    if len(values) > 1:
        pixels = tuple(float(side**2) for side in sides[: len(values)])
        found.growths.append(Growth(name, "pixels", pixels, tuple(values)))
