"""An all-in-focus image and a depth map of any z-stack: read, laid over each other, fused, written."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.fusion import LEAST_SURE, Fused, fuse
from napari_autofocus.focus.planes import ZStack, planes_ahead
from napari_autofocus.focus.scan_alignment import AlignedScan, align
from napari_autofocus.io.fused import FusedOrigin, write_depth, write_fused_image
from napari_autofocus.optics import Objective

LEAST_TOLD = 0.01
"""Share of the pixels whose depth can be told below which a stack shows nothing to be fused (ours)."""
_REACH_QUANTILES = (0.02, 0.98)


@dataclass(frozen=True)
class FuseSettings:
    """How a stack is fused.

    Parameters
    ----------
    register : bool
        Take out what planes have moved sideways.
    least_sure : float
        Confidence from which the depth of a pixel is told, in [0, 1].

    Raises
    ------
    InputError
        If the confidence is no share.
    """

    register: bool = True
    least_sure: float = LEAST_SURE

    def __post_init__(self) -> None:
        if not 0 <= self.least_sure <= 1:
            raise InputError(f"The least confidence of a depth is a share from 0 to 1; found {self.least_sure}.")


@dataclass(frozen=True)
class FuseStep:
    """Progress: ``done`` of ``total``, and what is being done."""

    done: int
    total: int
    phase: str


@dataclass(frozen=True, eq=False)
class FusedStack:
    """What came of a stack.

    Parameters
    ----------
    fused : Fused
        Image, depth and confidence.
    depth_um : np.ndarray, shape (Y, X), float32
        Drive position at which each pixel is sharpest, µm, NaN where that cannot be told.
    z_um : np.ndarray, shape (Z,)
        Of the planes.
    aligned : AlignedScan or None
        What planes had moved, without the planes themselves; None where that was not asked.
    source : str
        Of the stack.
    pixel_size_um, objective
        Of the stack; None where nobody says.
    seconds : float
        Time that it took.
    """

    fused: Fused = field(repr=False)
    depth_um: npt.NDArray[np.float32] = field(repr=False)
    z_um: npt.NDArray[np.float64]
    aligned: AlignedScan | None
    source: str = ""
    pixel_size_um: float | None = None
    objective: Objective | None = None
    seconds: float = 0.0

    @property
    def told(self) -> float:
        """Share of the pixels whose depth is told."""
        return float(np.isfinite(self.depth_um).mean())

    @property
    def reach_um(self) -> tuple[float, float] | None:
        """Lowest and highest depth but for the outermost 2 % of pixels, µm; None where no depth is told."""
        known = self.depth_um[np.isfinite(self.depth_um)]
        if not known.size:
            return None
        low, high = np.quantile(known, _REACH_QUANTILES)
        return float(low), float(high)

    @property
    def origin(self) -> FusedOrigin:
        """What files say of it."""
        largest = 0.0 if self.aligned is None else self.aligned.largest_px
        return FusedOrigin(self.source, tuple(float(z_um) for z_um in self.z_um), largest)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what may be wrong with it."""
        found = []
        if self.told < LEAST_TOLD:
            found.append(
                f"A depth can be told of {self.told:.1%} of the pixels only: no part of this stack is sharper in one"
                " plane than in the others, so the image is little more than the mean of its planes."
            )
        if self.aligned is not None and len(self.aligned.untold) > len(self.z_um) / 2:
            found.append(
                f"Of {len(self.aligned.untold)} of {len(self.z_um)} planes it cannot be told whether they have moved"
                " sideways: they show too little, or nothing that their neighbours show."
            )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """The numbers in types that JSON knows."""
        aligned = self.aligned
        return {
            "planes": len(self.z_um),
            "z_um": [float(z_um) for z_um in self.z_um],
            "depth_um": self.reach_um,
            "depth_told": self.told,
            "shifts_px": None if aligned is None else [list(shift) for shift in aligned.shifts_px],
            "shift_unknown": [] if aligned is None else list(aligned.untold),
            "seconds": self.seconds,
            "warnings": list(self.warnings),
        }


def fuse_stack(stack: ZStack, settings: FuseSettings | None = None) -> Generator[FuseStep, None, FusedStack]:
    """Make an all-in-focus image and a depth map of a z-stack, step by step.

    All planes are in memory, and as much again as four bytes for each of their pixels.

    Parameters
    ----------
    stack : ZStack
        Planes of one field.
    settings : FuseSettings, optional
        How.

    Yields
    ------
    FuseStep
        After each plane that was read, and before what takes long.

    Raises
    ------
    InputError
        If a plane cannot be read, or planes differ.
    """
    settings, begun_s = settings or FuseSettings(), time.perf_counter()
    total = len(stack) + 2
    planes: list[npt.NDArray[Any]] = []
    for plane in planes_ahead(stack):
        planes.append(plane)
        yield FuseStep(len(planes), total, "reading")
    aligned: AlignedScan | None = None
    if settings.register:
        yield FuseStep(len(stack), total, "registering")
        aligned = align(planes, stack.z_um)
        planes = list(aligned.planes)
        aligned = AlignedScan((), aligned.shifts_px, aligned.untold)
    yield FuseStep(len(stack) + 1, total, "fusing")
    fused = fuse(planes, stack.z_um)
    return FusedStack(
        fused,
        fused.told_depth_um(settings.least_sure),
        stack.z_um,
        aligned,
        stack.source,
        stack.pixel_size_um,
        stack.objective,
        time.perf_counter() - begun_s,
    )


def write_fused(path: Path, found: FusedStack, depth: Path | None = None) -> None:
    """Write the image and, where a name is given, the depth map.

    Raises
    ------
    InputError
        If a file cannot hold it or be written.
    """
    about: dict[str, Any] = {"pixel_size_um": found.pixel_size_um, "objective": found.objective}
    write_fused_image(path, found.fused.image, found.origin, **about)
    if depth is not None:
        write_depth(depth, found.depth_um, found.origin, **about)


def depth_path(path: Path) -> Path:
    """The name of the depth map beside an image's."""
    stem = path.name.removesuffix(path.suffix)
    return path.with_name(f"{stem.removesuffix('.ome')}_depth.ome.tif")
