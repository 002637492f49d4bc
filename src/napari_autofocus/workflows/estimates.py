"""Defocus of many frames: one after the other by one predictor, and one bad file never stops the others.

Also the estimates as plain dictionaries, as a table and in a line of words.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, ImageOptics, Verdict
from napari_autofocus.io.frames import Frame, open_frame
from napari_autofocus.optics import Objective

COLUMNS: dict[str, type] = {
    "scope": str,
    "path": str,
    "defocus_um": float,
    "uncertainty_um": float,
    "low90_um": float,
    "high90_um": float,
    "direction_probability": float,
    "verdict": str,
    "trusted": bool,
    "spread_um": float,
    "y": int,
    "x": int,
    "size": int,
    "importance": float,
    "chosen": bool,
    "model": str,
    "reasons": str,
    "warnings": str,
    "dz_um": float,
}
"""Columns of the table of estimates; ``scope`` is ``frame``, ``patch`` or ``failed``; y, x and size are in pixels.

``dz_um`` is the defocus of the second of two shots minus the first's; empty for one shot."""

VERDICT_WORDS: dict[Verdict, str] = {
    "flat": "flat",
    "tilted": "tilted",
    "uneven": "uneven",
    "no_content": "no content",
    "out_of_range": "out of range",
    "unsure": "unsure",
}

GUESSES: tuple[Verdict, ...] = ("out_of_range", "unsure")
"""Verdicts whose defocus is for display only."""


@dataclass(frozen=True)
class EstimateSettings:
    """How frames are opened and what a user says about them.

    Parameters
    ----------
    lens : Objective or None
        The objective, in place of what the files say; its camera pixel does not count.
    pixel_size_um : float or None
        Size of a pixel in the sample, µm, in place of what the files say.
    insist : bool
        Estimate although the optics are unknown or unlike the model's; every answer then carries a warning.
    plane : int or None
        Which plane of files that are z-stacks, from 0.
    channel : int, str or None
        Which channel of files with several; ``rgb`` joins three as colours.
    bit_depth : int or None
        Bits that a camera of 16-bit files really uses (12, say).
    """

    lens: Objective | None = None
    pixel_size_um: float | None = None
    insist: bool = False
    plane: int | None = None
    channel: int | str | None = None
    bit_depth: int | None = None

    def __post_init__(self) -> None:
        if self.bit_depth is not None and not 1 <= self.bit_depth <= 16:
            raise InputError(f"The bit depth of a camera lies between 1 and 16; found {self.bit_depth}.")
        if self.pixel_size_um is not None and not (math.isfinite(self.pixel_size_um) and self.pixel_size_um > 0):
            raise InputError(f"The pixel size must be a positive number of µm; found {self.pixel_size_um:g}.")


@dataclass(frozen=True, eq=False)
class FrameEstimated:
    """One frame is done: number ``index`` of ``frames``, counted from 1."""

    path: str
    frame: Frame
    estimate: FocusEstimate
    index: int
    frames: int


@dataclass(frozen=True)
class FrameFailed:
    """One frame cannot be read or was refused; ``reason`` is a sentence."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class EstimateResult:
    """Path and estimate of every frame that was read, in the order given, and every one that could not be.

    ``beside`` is what JSON says beside every estimate: of two shots, which the first was and how far apart they were.
    """

    estimated: tuple[tuple[str, FocusEstimate], ...]
    failed: tuple[FrameFailed, ...]
    beside: Mapping[str, Any] = field(default_factory=dict)


def estimate_frames(
    paths: Iterable[str | Path], predictor: FocusPredictor, settings: EstimateSettings | None = None
) -> Generator[FrameEstimated | FrameFailed, None, EstimateResult]:
    """Tell the defocus of every frame.

    Parameters
    ----------
    paths : iterable of path-like
        Image files.
    predictor : FocusPredictor
        The model.
    settings : EstimateSettings, optional
        How to open the files, and their optics.

    Yields
    ------
    FrameEstimated or FrameFailed
        As work proceeds.

    Returns
    -------
    EstimateResult
    """
    settings = settings or EstimateSettings()
    names = [str(path) for path in paths]
    estimated: list[tuple[str, FocusEstimate]] = []
    failed: list[FrameFailed] = []
    for index, name in enumerate(names, 1):
        try:
            frame, estimate = estimate_frame(name, predictor, settings)
        except (AutofocusError, OSError) as error:
            failed.append(FrameFailed(name, str(error)))
            yield failed[-1]
        else:
            estimated.append((name, estimate))
            yield FrameEstimated(name, frame, estimate, index, len(names))
    return EstimateResult(tuple(estimated), tuple(failed))


def estimate_frame(
    path: str | Path, predictor: FocusPredictor, settings: EstimateSettings
) -> tuple[Frame, FocusEstimate]:
    """Open one frame and tell its defocus. Raises InputError if it cannot be read or its optics are refused."""
    frame, image = read_frame(path, settings, settings.plane)
    return frame, predictor.estimate(image, optics=ImageOptics(frame.objective), insist=settings.insist)


def read_frame(path: str | Path, settings: EstimateSettings, plane: int | None) -> tuple[Frame, npt.NDArray[Any]]:
    """A frame with the optics that were stated, and its image as shares of full scale where a bit depth was.

    Raises
    ------
    InputError
        If it cannot be read, or its optics are unknown and nobody insists.
    """
    frame = open_frame(path, plane=plane, channel=settings.channel)
    frame = frame.with_optics(settings.lens, settings.pixel_size_um)
    if frame.objective is None and not settings.insist:
        raise InputError(_missing_optics(frame))
    return frame, frame.image if settings.bit_depth is None else _of_full_scale(frame, settings.bit_depth)


def _of_full_scale(frame: Frame, bit_depth: int) -> npt.NDArray[np.float32]:
    """The image as shares of the camera's full scale, for a 16-bit file hides that its camera has 12."""
    brightest, most = frame.image.max(), 2**bit_depth - 1
    if frame.image.dtype.kind != "u" or brightest > most:
        raise InputError(
            f"{frame.source} is of type {frame.image.dtype} and reaches {brightest:g}; a bit depth of {bit_depth} is"
            f" for whole numbers up to {most}, so state the camera's own or leave it out."
        )
    return np.asarray(frame.image / np.float32(most), np.float32)


def _missing_optics(frame: Frame) -> str:
    lacks = []
    if frame.lens is None:
        lacks.append(("objective", "--objective (as in 20x/0.75)"))
    if frame.pixel_size_um is None:
        lacks.append(("pixel size", "--pixel-um"))
    what, options = (" and ".join(words) for words in zip(*lacks, strict=True))
    return (
        f"{frame.source} does not state its {what}, and a model serves the optics it was made for only; give {options},"
        " or --insist on an answer with a warning."
    )


def as_dictionary(path: str, estimate: FocusEstimate) -> dict[str, Any]:
    """One frame's estimate as ``napari-autofocus estimate --json`` prints it."""
    return {"path": path, **estimate.to_json()}


def rows_of(path: str, estimate: FocusEstimate, beside: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """One frame's rows of the table: the frame first, then its patches; ``beside`` as in :class:`EstimateResult`."""
    said = {**as_dictionary(path, estimate), **(beside or {})}
    low, high = said["interval90_um"] or (None, None)
    texts = {name: " ".join(said[name]) for name in ("reasons", "warnings")}
    frame = {**said, **texts, "scope": "frame", "low90_um": low, "high90_um": high}
    patches = [{**patch, "scope": "patch", "path": path, "model": estimate.model} for patch in said["patches"]]
    return [{name: row.get(name) for name in COLUMNS} for row in [frame, *patches]]


def failed_row(path: str, reason: str) -> dict[str, Any]:
    """The row of a frame that could not be read or was refused."""
    return {**dict.fromkeys(COLUMNS), "scope": "failed", "path": path, "reasons": reason}


def value_words(estimate: FocusEstimate, dof_um: float) -> str:
    """The defocus in words: ``+3.42 ± 0.10 µm (90 %: +3.26 to +3.58) too close``, or that there is none."""
    if estimate.defocus_um is None:
        return "no defocus"
    value = with_uncertainty(estimate.defocus_um, estimate.uncertainty_um)
    guess = "best guess " if estimate.verdict in GUESSES else ""
    interval = f" (90 %: {interval_words(estimate.interval90_um)})" if estimate.interval90_um else ""
    return f"{guess}{value}{interval} {side_words(estimate.defocus_um, dof_um)}"


def with_uncertainty(value_um: float, uncertainty_um: float | None) -> str:
    """A defocus with its standard uncertainty: ``+3.42 ± 0.10 µm``."""
    return f"{signed(value_um)} µm" if uncertainty_um is None else f"{signed(value_um)} ± {uncertainty_um:.2f} µm"


def interval_words(interval_um: tuple[float, float]) -> str:
    """An interval of defocus: ``+3.26 to +3.58``."""
    return f"{signed(interval_um[0])} to {signed(interval_um[1])}"


def side_words(defocus_um: float, dof_um: float) -> str:
    """What a defocus means at the stand: ``too close``, ``too far apart``, or in focus within half the DOF."""
    if abs(defocus_um) <= dof_um / 2:
        return "in focus"
    return "too close" if defocus_um > 0 else "too far apart"


def state_words(estimate: FocusEstimate) -> str:
    """Verdict, patches and direction in words: ``flat · 12 of 285 patches · direction 99.9 %``."""
    patches = f"{len(estimate.chosen_patches)} of {len(estimate.patches)} patches"
    words = [VERDICT_WORDS[estimate.verdict], patches]
    if estimate.defocus_um is not None:
        words.append(f"direction {percent(estimate.direction_probability)}")
    return " · ".join(words)


def percent(share: float) -> str:
    """A probability in per cent, never rounded up to certainty: ``99.9 %``, ``> 99.9 %``."""
    return "> 99.9 %" if share > 0.9995 else f"{100 * share:.3g} %"


def signed(value_um: float, digits: int = 2) -> str:
    """A length with its sign, so that nobody has to guess it: ``+3.42``, ``-0.10``."""
    return f"{value_um:+.{digits}f}"
