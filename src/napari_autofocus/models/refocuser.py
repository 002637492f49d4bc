"""A model package as a virtual refocuser: two shots either side of focus in, the image in focus out, of any size.

The shots are registered first; then the image is recovered tile by tile, so that only a row of tiles is ever held as
floats. How far to trust what comes out is told with it, see ``refocus/verdict.py``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.registration import Shift, shift_between
from napari_autofocus.models.library import find_model
from napari_autofocus.models.package import VirtualCard
from napari_autofocus.models.package.reading import VirtualPackage, open_virtual_package
from napari_autofocus.models.refocus.engines import OnnxRefocusEngine, RefocusEngine, TorchRefocusEngine
from napari_autofocus.models.refocus.shots import UNMOVED, Shots, as_camera, light_of, sharper_index, shots_of
from napari_autofocus.models.refocus.tiles import Joined, Span, padded, spans
from napari_autofocus.models.refocus.verdict import (
    Findings,
    RefocusVerdict,
    judge,
    may_be_taken_out,
)
from napari_autofocus.models.seeing.engines import check_choice
from napari_autofocus.models.seeing.optics_check import check_optics

Float32 = npt.NDArray[np.float32]

TILE_PX = 512


@dataclass(frozen=True)
class TileDone:
    """Progress: so many of all tiles are recovered."""

    done: int
    total: int


@dataclass(frozen=True, eq=False)
class VirtualImage:
    """An image in focus that no camera took.

    Parameters
    ----------
    image : np.ndarray
        Of the shots' shape and type; where the first shot lies.
    uncertainty : np.ndarray, shape (Y, X), float32
        Standard deviation that is expected of a pixel, as a share of full scale.
    shift_px : tuple of float
        How far (down, right) the second shot lay against the first.
    sharper : int
        Which shot is the sharper one by Brenner, 0 or 1: the image is that one, changed.
    verdict : {'recovered', 'doubtful'}
        Whether to trust it.
    reasons : tuple of str
        Why it is doubtful, a sentence each.
    warnings : tuple of str
        What it was made in spite of, such as other optics.
    model : str
        Name of the model.
    seconds : float
        Time it took.
    findings : Findings
        The numbers behind the verdict.
    shift_taken_out : bool
        Whether the second shot was moved.
    """

    image: npt.NDArray[Any]
    uncertainty: Float32
    shift_px: tuple[float, float]
    sharper: int
    verdict: RefocusVerdict
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    model: str = ""
    seconds: float = 0.0
    findings: Findings = field(default_factory=Findings)
    shift_taken_out: bool = False

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against it."""
        return self.verdict == "recovered"


def load_refocuser(
    name_or_path: str | os.PathLike[str], *, providers: Sequence[str] | None = None, device: str | None = None
) -> VirtualRefocuser:
    """Open a virtual refocuser by name or file, verified, ready to recover images.

    Parameters
    ----------
    name_or_path : str or path-like
        A model that is shipped (``tsva-20x``) or lies in the user's folder, or a file.
    providers : sequence of str, optional
        onnxruntime's execution providers in order of preference; the CPU by default.
    device : str, optional
        Run with torch on this device (``cuda``, ``mps``) instead.

    Raises
    ------
    InputError
        In one sentence, if there is no such model, or its file cannot be trusted.
    """
    package = open_virtual_package(find_model(name_or_path))
    check_choice(providers, device)
    if device is not None:
        return VirtualRefocuser(package, TorchRefocusEngine(package, device))
    return VirtualRefocuser(package, OnnxRefocusEngine(package, providers=providers))


class VirtualRefocuser:
    """Recovers the image in focus from two shots; safe to be asked from several threads.

    Parameters
    ----------
    package : VirtualPackage
        The model.
    engine : RefocusEngine, optional
        What runs it; onnxruntime on the CPU by default.
    """

    def __init__(self, package: VirtualPackage, engine: RefocusEngine | None = None) -> None:
        self.package = package
        self.engine: RefocusEngine = engine or OnnxRefocusEngine(package)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything in the package."""
        return self.package.fingerprint

    @property
    def card(self) -> VirtualCard:
        """What the model was made for."""
        return self.package.card

    def on_one_thread(self) -> VirtualRefocuser:
        """The same model for one of several processes that share the cores; on an accelerator the model itself."""
        if not isinstance(self.engine, OnnxRefocusEngine):
            return self
        return VirtualRefocuser(
            self.package, OnnxRefocusEngine(self.package, providers=self.engine.providers, threads=1)
        )

    def refocus_tile(self, shots: Float32) -> Float32:
        """Recover one piece in one go, without registration or judgement.

        Parameters
        ----------
        shots : np.ndarray, shape (2C, Y, X), float32
            In [0, 1], the channels of the first shot before those of the second, with the model's C; of any size.

        Returns
        -------
        np.ndarray, shape (C + 1, Y, X), float32
            The image, not clipped, and its uncertainty.
        """
        answer = self.engine.recover(padded(shots, self.card.stride_px)[None])[0]
        return np.asarray(answer[:, : shots.shape[1], : shots.shape[2]])

    def refocus(
        self,
        first: npt.NDArray[Any],
        second: npt.NDArray[Any],
        *,
        optics: ImageOptics | None = None,
        insist: bool = False,
        bit_depth: int | None = None,
        register: bool = True,
        tile_px: int = TILE_PX,
    ) -> Generator[TileDone, None, VirtualImage]:
        """Recover the image in focus; closing the generator cancels.

        Parameters
        ----------
        first, second : np.ndarray, shape (Y, X) or (Y, X, 3)
            Two shots of one field, one either side of focus in any order: u8, u16, or float in [0, 1].
        optics : ImageOptics, optional
            How they were taken.
        insist : bool
            Go on although the optics are unknown or unlike the model's; every difference is then in ``warnings``.
        bit_depth : int, optional
            Bits that a u16 camera uses; otherwise all 16.
        register : bool
            Take out a shift of the second shot against the first.
        tile_px : int
            Side of the tiles, px.

        Yields
        ------
        TileDone
            Before the first tile, and after each.

        Returns
        -------
        VirtualImage

        Raises
        ------
        InputError
            If the shots cannot be read, do not fit each other, or their optics are refused.
        """
        start = time.perf_counter()
        shots = shots_of(first, second, bit_depth)
        warnings = check_optics(self.card, optics, shots[0].colour, insist=insist)
        tiles = [spans(side, tile_px, self.card.overlap_px, self.card.stride_px) for side in shots[0].shape]
        shift = shift_between(shots[0].pixels, shots[1].pixels) if register else UNMOVED
        taken_out = shift if may_be_taken_out(shift, shots[0].shape) else UNMOVED
        image, uncertainty = yield from self._tiles(shots, taken_out, *tiles)
        verdict, reasons, findings = judge(shots, image, uncertainty, shift, self.card.stains)
        return VirtualImage(
            image=image,
            uncertainty=uncertainty,
            shift_px=(shift.dy, shift.dx),
            sharper=sharper_index(shots[0].pixels, shots[1].pixels),
            verdict=verdict,
            reasons=reasons,
            warnings=warnings,
            model=self.name,
            seconds=time.perf_counter() - start,
            findings=findings,
            shift_taken_out=taken_out.length_px > 0,
        )

    def _tiles(
        self, shots: Shots, shift: Shift, rows: tuple[Span, ...], columns: tuple[Span, ...]
    ) -> Generator[TileDone, None, tuple[npt.NDArray[Any], Float32]]:
        """The image, in the shots' type, and its uncertainty."""
        first = shots[0]
        image, uncertainty = np.empty_like(first.pixels), np.empty(first.shape, np.float32)
        joined = Joined(rows, columns, (3 if first.colour == "rgb" else 1) + 1)
        total = len(rows) * len(columns)
        yield TileDone(0, total)
        for row, column in np.ndindex(len(rows), len(columns)):
            part = rows[row].part, columns[column].part
            joined.add(row, column, self._recovered(light_of(first, part), light_of(shots[1], part, shift)))
            if column == len(columns) - 1:
                where, ready = joined.finished(row)
                image[where] = as_camera(ready[:-1], first).reshape(image[where].shape)
                uncertainty[where] = ready[-1]
            yield TileDone(row * len(columns) + column + 1, total)
        return image, uncertainty

    def _recovered(self, first: Float32, second: Float32) -> Float32:
        """Image and uncertainty (P + 1, Y, X) of one piece of two shots (P, Y, X) of whatever colours.

        A model for colour sees a grey image as three equal colours and its three answers count alike; one for grey
        images sees each colour by itself.
        """
        planes, channels = first.shape[0], self.card.optics.channels
        if planes == channels:
            return self.refocus_tile(np.concatenate([first, second]))
        if planes < channels:
            answer = self.refocus_tile(
                np.concatenate([first.repeat(channels, axis=0), second.repeat(channels, axis=0)])
            )
            return np.stack([answer[:-1].mean(axis=0), answer[-1]])
        answers = [self.refocus_tile(np.stack(pair)) for pair in zip(first, second, strict=True)]
        return np.stack([*(answer[0] for answer in answers), np.max([answer[1] for answer in answers], axis=0)])
