"""Images in focus recovered from pairs of files: read, recover, compare with the true image, count, write.

Whole slides are recovered by ``virtual_slide.py``; the picture of a result is in ``reports/virtual.py``.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.likeness import psnr_db, ssim
from napari_autofocus.focus.registration import moved
from napari_autofocus.io.frames import Frame, open_frame
from napari_autofocus.io.virtual import VirtualOrigin, write_virtual_image
from napari_autofocus.models.refocuser import TILE_PX, TileDone, VirtualImage, VirtualRefocuser
from napari_autofocus.optics import Objective

if TYPE_CHECKING:
    from napari_autofocus.workflows.virtual.cell_counts import CellCounts

FIRST, SECOND, RECOVERED, TRUE = "first", "second", "recovered", "true"


@dataclass(frozen=True)
class VirtualSettings:
    """How two files are read and recovered.

    Parameters
    ----------
    lens : Objective or None
        In place of what the files say.
    pixel_size_um : float or None
        In place of what the files say, µm.
    insist : bool
        Go on although the optics are unknown or unlike the model's.
    plane, second_plane, true_plane : int or None
        Which planes, where files hold stacks, from 0.
    channel : int, str or None
        Which channel, where files hold several.
    bit_depth : int or None
        Bits that the camera of 16-bit files uses.
    register : bool
        Take out a shift of the second shot against the first.
    tile_px : int
        Side of the tiles, px.
    count : bool
        Count cells, too.
    """

    lens: Objective | None = None
    pixel_size_um: float | None = None
    insist: bool = False
    plane: int | None = None
    second_plane: int | None = None
    true_plane: int | None = None
    channel: int | str | None = None
    bit_depth: int | None = None
    register: bool = True
    tile_px: int = TILE_PX
    count: bool = False


@dataclass(frozen=True)
class Likeness:
    """How like an image is to the true one: PSNR in dB, and structural similarity."""

    psnr_db: float
    ssim: float


@dataclass(frozen=True, eq=False)
class RecoveredFiles:
    """What was recovered from two files.

    Parameters
    ----------
    first, second : Frame
        The shots.
    virtual : VirtualImage
        What was recovered.
    origin : VirtualOrigin
        To be written with it.
    truth : Frame or None
        The true image, where there is one.
    likeness : mapping of str to Likeness
        Of the shots (as registered) and the recovered image to the true one; empty without.
    cells : CellCounts or None
        Where they were asked for.
    """

    first: Frame
    second: Frame
    virtual: VirtualImage
    origin: VirtualOrigin
    truth: Frame | None
    likeness: Mapping[str, Likeness]
    cells: CellCounts | None

    def images(self) -> dict[str, npt.NDArray[Any]]:
        """Shots as registered, recovered image and truth by name."""
        named = {FIRST: self.first.image, SECOND: _registered(self.second.image, self.virtual)}
        named[RECOVERED] = self.virtual.image
        return named if self.truth is None else {**named, TRUE: self.truth.image}

    def to_json(self) -> dict[str, Any]:
        """As ``napari-autofocus virtual-refocus --json`` prints it, but for the output."""
        virtual = self.virtual
        return {
            "seconds": virtual.seconds,
            "verdict": virtual.verdict,
            "reasons": list(virtual.reasons),
            "warnings": list(virtual.warnings),
            "sharper": virtual.sharper,
            "shift_px": list(virtual.shift_px),
            "findings": virtual.findings.to_json(),
            "model": virtual.model,
            "fingerprint": self.origin.fingerprint,
            "likeness": {name: vars(each) for name, each in self.likeness.items()} or None,
            "cells": None if self.cells is None else self.cells.to_json(),
        }


def recover_files(
    first: str | Path,
    second: str | Path,
    refocuser: VirtualRefocuser,
    settings: VirtualSettings | None = None,
    *,
    truth: str | Path | None = None,
) -> Generator[TileDone, None, RecoveredFiles]:
    """Recover the image in focus from two files, or from two planes of one.

    Parameters
    ----------
    first, second : path-like
        Anything that :func:`~napari_autofocus.io.frames.open_frame` reads.
    refocuser : VirtualRefocuser
        The model.
    settings : VirtualSettings, optional
        How.
    truth : path-like, optional
        An image of the same field in focus, to compare with.

    Yields
    ------
    TileDone

    Raises
    ------
    InputError
        If a file cannot be read, the images do not fit each other, or their optics are refused.
    """
    asked = settings or VirtualSettings()
    shots = _open(first, asked, asked.plane), _open(second, asked, asked.second_plane)
    if str(first) == str(second) and asked.plane == asked.second_plane:
        raise InputError(
            f"{first} is named twice, and one shot does not tell what is missing; name two files, or two planes of one"
            " with --plane and --second-plane."
        )
    true = None if truth is None else _true(truth, asked, shots[0])
    optics = _optics(shots[0], asked)
    virtual = yield from refocuser.refocus(
        shots[0].image,
        shots[1].image,
        optics=optics,
        insist=asked.insist,
        bit_depth=asked.bit_depth,
        register=asked.register,
        tile_px=asked.tile_px,
    )
    origin = origin_of(virtual, refocuser.fingerprint, _named(first, asked.plane), _named(second, asked.second_plane))
    found = RecoveredFiles(*shots, virtual, origin, true, {}, None)
    found = replace(found, likeness=_likeness(found, asked.bit_depth))
    return replace(found, cells=_cells(found, refocuser)) if asked.count else found


def origin_of(virtual: VirtualImage, fingerprint: str, first: str, second: str) -> VirtualOrigin:
    """What a file says of a recovered image: its model, and the names of the two shots."""
    return VirtualOrigin(
        model=virtual.model,
        fingerprint=fingerprint,
        first=first,
        second=second,
        shift_px=virtual.shift_px,
        verdict=virtual.verdict,
        notes=virtual.reasons + virtual.warnings,
    )


def write_recovered(path: Path, found: RecoveredFiles) -> Path:
    """Write the recovered image with its origin. Raises InputError if the file cannot hold it or be written."""
    first = found.first
    return write_virtual_image(
        path, found.virtual.image, found.origin, pixel_size_um=first.pixel_size_um, objective=first.objective
    )


def write_uncertainty(path: Path, found: RecoveredFiles) -> Path:
    """Write the map of uncertainty, shares of full scale in float32, as OME-TIFF."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"The uncertainty is written as OME-TIFF, but {path.name} does not end in .tif; name it so.")
    first = found.first
    return write_virtual_image(
        path, found.virtual.uncertainty, found.origin, pixel_size_um=first.pixel_size_um, objective=first.objective
    )


def _open(path: str | Path, asked: VirtualSettings, plane: int | None) -> Frame:
    frame = open_frame(path, plane=plane, channel=asked.channel)
    return frame.with_optics(asked.lens, asked.pixel_size_um)


def _true(path: str | Path, asked: VirtualSettings, first: Frame) -> Frame:
    truth = _open(path, asked, asked.true_plane)
    if truth.image.shape != first.image.shape or truth.image.dtype != first.image.dtype:
        raise InputError(
            f"The true image {path} is {truth.image.shape} {truth.image.dtype}, the shots are {first.image.shape}"
            f" {first.image.dtype}; crop or convert it."
        )
    return truth


def _optics(frame: Frame, asked: VirtualSettings) -> ImageOptics:
    if frame.objective is None and not asked.insist:
        lacks = [
            words
            for words, missing in (
                ("objective (--objective, as in 20x/0.75)", frame.lens is None),
                ("pixel size (--pixel-um)", frame.pixel_size_um is None),
            )
            if missing
        ]
        raise InputError(
            f"{frame.source} does not state its {' and '.join(lacks)}, and a model serves the optics it was made for"
            " only; give them, or --insist on an image with a warning."
        )
    return ImageOptics(frame.objective)


def _named(path: str | Path, plane: int | None) -> str:
    name = Path(path).name
    return name if plane is None else f"{name} plane {plane}"


def _registered(image: npt.NDArray[Any], virtual: VirtualImage) -> npt.NDArray[Any]:
    return moved(image, -virtual.shift_px[0], -virtual.shift_px[1]) if virtual.shift_taken_out else image


def _likeness(found: RecoveredFiles, bit_depth: int | None) -> dict[str, Likeness]:
    if found.truth is None:
        return {}
    images = {name: _as_light(image, bit_depth) for name, image in found.images().items()}
    truth = images.pop(TRUE)
    return {name: Likeness(psnr_db(image, truth), ssim(image, truth)) for name, image in images.items()}


def _as_light(image: npt.NDArray[Any], bit_depth: int | None) -> npt.NDArray[Any]:
    if bit_depth is None or image.dtype.kind != "u":
        return image
    return np.asarray(image, np.float32) / np.float32(2**bit_depth - 1)


def _cells(found: RecoveredFiles, refocuser: VirtualRefocuser) -> CellCounts:
    from napari_autofocus.workflows.virtual.cell_counts import count_in_all

    pixel_size_um = found.first.pixel_size_um or refocuser.card.optics.pixel_size_um
    return count_in_all(found.images(), pixel_size_um=pixel_size_um)
