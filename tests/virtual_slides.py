"""Slides in OME-Zarr and refocusers in a few lines, for tests of recovering whole slides."""

from __future__ import annotations

import datetime
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import zarr

from napari_autofocus.models.package import CardOptics, NetworkCard, TrainingRecord, VirtualCard
from napari_autofocus.optics import Objective

LENS = Objective.parse("20x/0.75")
Image = npt.NDArray[Any]
Result = TypeVar("Result")


def virtual_card(**changes: Any) -> VirtualCard:
    """A card for 20x/0.75 in colour."""
    return VirtualCard(
        **{
            "name": "mean-20x",
            "description": "The mean of both shots, blurred.",
            "optics": CardOptics.of(LENS, changes.pop("colour", "rgb")),
            "stains": ("he",),
            "dof_um": 1.0,
            "half_um": (0.5, 3.0),
            "error_um": 1.0,
            "stride_px": 16,
            "overlap_px": 20,
            "evaluation": {},
            "training": TrainingRecord(
                seed=1, minutes=1.0, finished=datetime.date(2026, 1, 2), code_version="0.1.0", patches_seen=1
            ),
            "network": NetworkCard(architecture="none"),
            **changes,
        }
    )


class MeanRefocuser:
    """Mean of both shots over 17 px: what it says of a pixel depends on 8 px around it."""

    def __init__(self, **card: Any) -> None:
        self.name, self.fingerprint, self.card = "mean-20x", "f" * 64, virtual_card(**card)
        self.asked = 0

    def refocus_tile(self, shots: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.asked += 1
        channels = shots.shape[0] // 2
        assert channels == self.card.optics.channels
        assert shots.dtype == np.float32
        assert 0 <= shots.min() <= shots.max() <= 1
        mean = np.moveaxis((shots[:channels] + shots[channels:]) / 2, 0, -1)
        blurred = cv2.blur(mean, (17, 17)).reshape(mean.shape)
        return np.concatenate([np.moveaxis(blurred, -1, 0), np.full((1, *shots.shape[1:]), 0.125, np.float32)])


class SharperRefocuser(MeanRefocuser):
    """The first shot, as it is."""

    def refocus_tile(self, shots: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.asked += 1
        channels = shots.shape[0] // 2
        return np.concatenate([shots[:channels], np.zeros((1, *shots.shape[1:]), np.float32)])


def texture(shape: tuple[int, ...], seed: int = 0, dtype: str = "uint8") -> Image:
    """Smooth random structure, shape (Y, X) or (Y, X, 3)."""
    rng = np.random.default_rng(seed)
    values = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 3)
    values = np.clip(0.5 + 1.2 * values, 0.02, 0.98)
    return (values * np.iinfo(dtype).max).astype(dtype) if dtype.startswith("u") else values.astype(dtype)


def write_slide(
    path: Path,
    image: Image,
    *,
    chunks: tuple[int, int] = (100, 150),
    version: int = 3,
    own: dict[str, Any] | None = None,
    axes: str = "",
    shards: tuple[int, int] | None = None,
    optics: bool = True,
) -> Path:
    """An image (Y, X) or (Y, X, 3) as OME-Zarr 0.4 (zarr version 2) or 0.5 (3), of one level."""
    values = np.moveaxis(image, -1, 0) if image.shape[-1] == 3 else image
    axes = axes or "cyx"[-values.ndim :]
    values = values.reshape((1,) * (len(axes) - values.ndim) + values.shape)
    lead = values.shape[:-2]
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    more = {} if shards is None else {"shards": (*lead, *shards)}
    array = group.create_array(
        "s0", shape=values.shape, chunks=(*(1 for _ in lead), *chunks), dtype=values.dtype, **more
    )
    array[:] = values
    scale = [1.0] * len(lead) + [LENS.pixel_size_um] * 2
    units = [
        {"name": a, "type": "space", "unit": "micrometer"} if a in "yx" else {"name": a, "type": "channel"}
        for a in axes
    ]
    steps = [{"type": "scale", "scale": scale}]
    multiscales = [{"axes": units, "datasets": [{"path": "s0", "coordinateTransformations": steps}], "version": "0.4"}]
    facts = {"objective": _lens(), **(own or {})} if optics else own or {}
    ome = {"multiscales": multiscales}
    group.attrs.update({**(ome if version == 2 else {"ome": {"version": "0.5", **ome}}), "napari-autofocus": facts})
    return path


def _lens() -> dict[str, Any]:
    from napari_autofocus.io.zarr import objective_to_json

    return objective_to_json(LENS)


def finished(steps: Generator[Any, None, Result]) -> Result:
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
