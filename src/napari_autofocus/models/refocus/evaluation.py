"""How good virtual refocusing is on shots whose image in focus is known: PSNR against the sharper shot, by distance."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.refocus.shots import sharper_index

Float32 = npt.NDArray[np.float32]
Recover = Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[Any]]
"""Two shots in, the recovered image out, of their type or as float32 in [0, 1]."""

_NO_ERROR = 1e-12


@dataclass(frozen=True, eq=False)
class KnownShots:
    """Two shots of a field, and the same camera's image of it in focus.

    Parameters
    ----------
    first, second, truth : np.ndarray, shape (Y, X) or (Y, X, 3)
        As the camera gave them.
    light : np.ndarray, of the same shape, float32
        The truth without noise, as a share of full scale; of a microscope's images the truth itself.
    half_um, error_um : float
        Half of the distance of the two shots, and the middle between them against best focus, µm.
    slide, stain, density : str
        What is seen; empty where nobody says it.
    optics : ImageOptics or None
        What is known of the optics; the simulation's are the model's.
    source : str
        The file, where there is one.
    """

    first: npt.NDArray[Any]
    second: npt.NDArray[Any]
    truth: npt.NDArray[Any]
    light: npt.NDArray[np.float32]
    half_um: float
    error_um: float
    slide: str
    stain: str
    density: str
    optics: ImageOptics | None = None
    source: str = ""


@dataclass(frozen=True)
class ShotsResult:
    """What was recovered from one pair of shots.

    Parameters
    ----------
    half_um, error_um : float
        Half of the distance of the two shots, and the middle between them against best focus, µm.
    sharper_db, recovered_db : float
        PSNR of the sharper shot (by Brenner) and of the recovered image against the light in focus, dB.
    sharper_taken_db, recovered_taken_db : float
        The same against a camera's frame in focus, whose own noise sets a bound, dB.
    slide, stain, density : str
        What was seen.
    doubtful : bool
        Whether the model itself doubted its image.
    """

    half_um: float
    error_um: float
    sharper_db: float
    recovered_db: float
    sharper_taken_db: float
    recovered_taken_db: float
    slide: str
    stain: str
    density: str
    doubtful: bool = False

    @property
    def gain_db(self) -> float:
        """What refocusing was worth: PSNR over the sharper shot's, dB."""
        return self.recovered_db - self.sharper_db


def evaluate_refocus(
    recover: Recover, shots: Iterable[KnownShots]
) -> Generator[ShotsResult, None, tuple[ShotsResult, ...]]:
    """Recover each pair, and compare.

    Yields
    ------
    ShotsResult
        One a pair; all of them are returned in the end.
    """
    results = []
    for pair in shots:
        result = shots_result(as_light(recover(pair.first, pair.second)), pair)
        results.append(result)
        yield result
    return tuple(results)


def shots_result(recovered: Float32, pair: KnownShots, *, doubtful: bool = False) -> ShotsResult:
    """How near a recovered image (Y, X[, C]) in [0, 1] is to the truth, and how near the sharper shot was."""
    sharper, taken = as_light(sharper_of(pair.first, pair.second)), as_light(pair.truth)
    return ShotsResult(
        half_um=pair.half_um,
        error_um=pair.error_um,
        sharper_db=_psnr(sharper, pair.light),
        recovered_db=_psnr(recovered, pair.light),
        sharper_taken_db=_psnr(sharper, taken),
        recovered_taken_db=_psnr(recovered, taken),
        slide=pair.slide,
        stain=pair.stain,
        density=pair.density,
        doubtful=doubtful,
    )


def refocus_figures(results: Iterable[ShotsResult]) -> dict[str, Any]:
    """Figures of many pairs in types that JSON knows: overall, and by half the distance of the shots in µm."""
    kept = list(results)
    halves = sorted({result.half_um for result in kept})
    return {
        **_figures(kept),
        "by_half_um": {f"{half:g}": _figures([r for r in kept if r.half_um == half]) for half in halves},
    }


def sharper_of(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The shot with the larger Brenner gradient, in both directions together."""
    return (first, second)[sharper_index(first, second)]


def as_light(image: npt.NDArray[Any]) -> Float32:
    """An image as float32 with full scale at 1."""
    if image.dtype.kind == "f":
        return np.asarray(image, np.float32)
    return np.asarray(image, np.float32) / np.float32(np.iinfo(image.dtype).max)


def _figures(results: list[ShotsResult]) -> dict[str, Any]:
    if not results:
        return {"pairs": 0}
    gains = np.array([r.gain_db for r in results])
    taken = np.array([r.recovered_taken_db - r.sharper_taken_db for r in results])
    return {
        "pairs": len(results),
        "sharper_db": float(np.mean([r.sharper_db for r in results])),
        "recovered_db": float(np.mean([r.recovered_db for r in results])),
        "gain_db": float(gains.mean()),
        "worst_gain_db": float(gains.min()),
        "gain_against_a_frame_db": float(taken.mean()),
        "recovered_against_a_frame_db": float(np.mean([r.recovered_taken_db for r in results])),
    }


def _psnr(image: Float32, truth: Float32) -> float:
    return float(-10 * np.log10(np.mean(np.square(image - truth), dtype=np.float64) + _NO_ERROR))
