"""Virtual refocusing: two shots against one, against a burst, against deconvolution with the true point images.

    python benchmarks/virtual_refocus.py [--fields 40] [--work build/models/tsva-20x] [--only METHOD…]

Simulated slides never trained on: two shots at F ± ΔD, F missing focus by N(0, 1) µm, ΔD = 0.5, 1, 1.5, 2, 3 µm. PSNR
is taken against the light in focus, and against a camera's frame of it, whose own noise sets a bound. The networks
``two-shot`` (the one that ships), ``one-shot`` and ``burst`` are taught alike, by
``python -m napari_autofocus.workflows.shipped.refocusers --compare``.

Richardson-Lucy and unsupervised Wiener (scikit-image) are told the true point image of each colour at the true defocus;
they sharpen the sharper shot, and what they give is seen through the point image in focus, as the truth is. ``best
rounds`` knows the truth as well and stops at the best of 5, 15 and 40 rounds in each image: no user could. All methods
are measured 64 px away from the borders. Writes benchmarks/results/virtual_refocus.json, method by method.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal
from skimage import restoration

from napari_autofocus.models.refocus.evaluation import (
    KnownShots,
    ShotsResult,
    as_light,
    refocus_figures,
    sharper_of,
    shots_result,
)
from napari_autofocus.models.refocus.teaching import recovering
from napari_autofocus.models.simulated.places import SimulatedPlaces, simulate_shots
from napari_autofocus.models.tsva import METHODS, Method
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.psf import Optics
from napari_autofocus.simulation.transfer import (
    common_zero_um,
    frequency_grid,
    incoherent_transfer,
)
from napari_autofocus.workflows.shipped.refocusers import RECIPES, Making

Float32 = npt.NDArray[np.float32]
Recover = Callable[[KnownShots], Float32]

RESULTS = Path(__file__).parent / "results" / "virtual_refocus.json"
RECIPE = RECIPES["tsva-20x"]
HALVES_UM = (0.5, 1.0, 1.5, 2.0, 3.0)
SHAPE = (512, 512)
BORDER_PX = 64
FIRST_SEED = 900_000
KERNEL_PX = 97
ROUNDS = (5, 15, 40)


def main() -> None:
    """Measure every method and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fields", type=int, default=40)
    parser.add_argument("--work", type=Path, default=Path("build/models/tsva-20x"))
    parser.add_argument("--only", nargs="*", default=[*METHODS, *DECONVOLUTIONS])
    chosen = parser.parse_args()
    for method in chosen.only:
        began = time.monotonic()
        figures = refocus_figures(measured(_recover(method, chosen.work), chosen.fields))
        _write(method, {**figures, "minutes": (time.monotonic() - began) / 60})
        print(f"{method}: {figures['gain_db']:+.2f} dB over the sharper shot", flush=True)


def measured(recover: Recover, fields: int) -> Iterator[ShotsResult]:
    """Every pair, away from the borders."""
    inside = (slice(BORDER_PX, -BORDER_PX),) * 2
    for pair in simulate_shots(SimulatedPlaces(), range(FIRST_SEED, FIRST_SEED + fields), HALVES_UM, shape=SHAPE):
        parts = {name: getattr(pair, name)[inside] for name in ("first", "second", "truth", "light")}
        yield shots_result(recover(pair)[inside], replace(pair, **parts))


def _recover(method: str, work: Path) -> Recover:
    if method in METHODS:
        network = recovering(_network(method, work))
        return lambda pair: np.asarray(network(pair.first, pair.second), np.float32)
    return DECONVOLUTIONS[method]


def _network(method: Method, work: Path) -> Any:
    """The network of a finished training; its checkpoint is of this recipe or is refused."""
    steps = Making(RECIPE, work).teach(method)
    while True:
        try:
            progress = next(steps)
        except StopIteration as finished:
            return finished.value.network
        if progress.validated:
            print(f"{method}: taught {progress.samples} of {progress.total}", flush=True)


# --- Deconvolution ------------------------------------------------------------------------------------------------


def _richardson_lucy(pair: KnownShots, rounds: int = 15) -> Float32:
    sharper, defocus_um = _sharper(pair)
    planes = [
        _seen_in_focus(
            restoration.richardson_lucy(_padded(plane), _kernel(colour, defocus_um), rounds, filter_epsilon=1e-6),
            colour,
        )
        for colour, plane in enumerate(np.moveaxis(sharper, -1, 0))
    ]
    return np.stack(planes, axis=-1)


def _richardson_lucy_best(pair: KnownShots) -> Float32:
    tries = [_richardson_lucy(pair, rounds) for rounds in ROUNDS]
    return min(tries, key=lambda found: float(np.mean(np.square(found - pair.light))))


def _wiener(pair: KnownShots) -> Float32:
    sharper, defocus_um = _sharper(pair)
    planes = []
    for colour, plane in enumerate(np.moveaxis(sharper, -1, 0)):
        found, _ = restoration.unsupervised_wiener(
            _padded(plane), _kernel(colour, defocus_um), clip=False, rng=np.random.default_rng(0)
        )
        planes.append(_seen_in_focus(np.asarray(found), colour))
    return np.stack(planes, axis=-1)


DECONVOLUTIONS: dict[str, Recover] = {
    "richardson-lucy": _richardson_lucy,
    "richardson-lucy, best rounds": _richardson_lucy_best,
    "wiener": _wiener,
}


def _sharper(pair: KnownShots) -> tuple[Float32, float]:
    """The sharper shot, and where it was taken against best focus, µm."""
    sharper = sharper_of(pair.first, pair.second)
    side = -1 if sharper is pair.first else 1
    return as_light(sharper), pair.error_um + side * pair.half_um


def _padded(plane: Float32) -> npt.NDArray[np.float64]:
    return np.pad(plane.astype(np.float64), BORDER_PX, mode="reflect")


def _seen_in_focus(plane: npt.NDArray[Any], colour: int) -> Float32:
    seen = scipy.signal.fftconvolve(plane, _kernel(colour, 0.0), mode="same")
    return np.asarray(seen[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX], np.float32)


@lru_cache(maxsize=64)
def _kernel(colour: int, defocus_um: float) -> npt.NDArray[np.float64]:
    """The image of a point in one colour at a distance from best focus, sum 1, shape (97, 97)."""
    optics = Optics(Objective.parse(RECIPE.places.objective))
    grid = frequency_grid((256, 256), optics.objective.pixel_size_um)
    place = defocus_um + common_zero_um(optics, optics.objective.pixel_size_um) - optics.colour_offsets_um[colour]
    curve = incoherent_transfer(optics, optics.wavelengths_um[colour], grid.largest_frequency).at(place)
    whole = scipy.fft.fftshift(scipy.fft.irfft2(grid.spread(curve), s=(256, 256)))
    half = KERNEL_PX // 2
    kernel = np.maximum(whole[128 - half : 129 + half, 128 - half : 129 + half], 0).astype(np.float64)
    return np.asarray(kernel / kernel.sum())


def _write(method: str, figures: dict[str, Any]) -> None:
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[method] = figures
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
