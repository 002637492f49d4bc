"""How near shots and recovered image are to a true image in focus, and how many cells each shows. No Qt."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.registration import moved
from napari_autofocus.widgets.virtual.pair import Shot
from napari_autofocus.widgets.virtual.work import Recovered

AnyImage = npt.NDArray[Any]


@dataclass(frozen=True)
class Figure:
    """One image in numbers; None where a number was not asked for or cannot be told.

    Parameters
    ----------
    name : str
        What the image is called in the table.
    about : str
        What it is, for a tooltip.
    psnr_db, ssim : float or None
        Likeness to the true image.
    cells : int or None
        Cells or nuclei counted.
    """

    name: str
    about: str
    psnr_db: float | None = None
    ssim: float | None = None
    cells: int | None = None


@dataclass(frozen=True, eq=False)
class Figures:
    """All images in numbers.

    Parameters
    ----------
    rows : tuple of Figure
        First shot, second shot, recovered and, where there is one, the true image.
    error : np.ndarray or None, shape (Y, X), float32
        How far the recovered image is from the true one, as a share of full scale.
    """

    rows: tuple[Figure, ...]
    error: npt.NDArray[np.float32] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class FigureDone:
    """Progress: one image has been measured."""

    done: int
    total: int


def plain_rows(recovered: Recovered, truth: Shot | None) -> tuple[Figure, ...]:
    """The rows before anything has been measured."""
    return tuple(Figure(name, about) for name, about, _ in _images(recovered, None)) + (
        () if truth is None else (Figure("True image", truth.name),)
    )


def measuring(recovered: Recovered, truth: Shot | None, *, count: bool) -> Generator[FigureDone, None, Figures]:
    """Compare with a true image, and count; runs beside the GUI.

    Parameters
    ----------
    recovered : Recovered
        Shots and recovered image.
    truth : Shot or None
        The true image in focus.
    count : bool
        Whether to count cells in each.

    Raises
    ------
    InputError
        If the true image cannot be read, or has another size or type than the shots.
    """
    from napari_autofocus.focus.likeness import error_map  # slow to import, and only comparing needs it

    true = None if truth is None else truth.plane.read().image
    images = _images(recovered, None if truth is None or true is None else (truth.name, true))
    rows: list[Figure] = []
    for name, about, image in images:
        rows.append(_figure(name, about, image, true, _pixel_um(recovered), count=count))
        yield FigureDone(len(rows), len(images))
    error = None if true is None else _by_pixel(error_map(recovered.image.image, true))
    return Figures(tuple(rows), error)


def _figure(
    name: str, about: str, image: AnyImage, true: AnyImage | None, pixel_um: float | None, *, count: bool
) -> Figure:
    from napari_autofocus.focus.counting import count_cells  # slow to import, as above
    from napari_autofocus.focus.likeness import psnr_db, ssim

    cells = count_cells(image, pixel_size_um=pixel_um).count if count and pixel_um is not None else None
    if true is None or image is true:
        return Figure(name, about, cells=cells)
    return Figure(name, about, psnr_db(image, true), ssim(image, true), cells)


def _images(recovered: Recovered, true: tuple[str, AnyImage] | None) -> list[tuple[str, str, AnyImage]]:
    """Name, what it is, and pixels of each; the second shot's shift is taken out as it was in recovering."""
    first, second = (seen.image for seen in recovered.seen)
    dy, dx = recovered.image.shift_px
    second = moved(second, -dy, -dx) if recovered.image.shift_taken_out else second
    names = [shot.name for shot in recovered.pair.shots]
    listed = [
        ("First shot", names[0], first),
        ("Second shot", names[1], second),
        ("Recovered", recovered.image.model, recovered.image.image),
    ]
    return listed if true is None else [*listed, ("True image", *true)]


def _by_pixel(error: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Size of the error of each pixel, shape (Y, X): the mean over its colours."""
    sizes = np.abs(error)
    return np.asarray(sizes.mean(axis=2) if sizes.ndim == 3 else sizes, np.float32)


def _pixel_um(recovered: Recovered) -> float | None:
    lens = recovered.objective
    return recovered.seen[0].pixel_size_um or (lens.pixel_size_um if lens else None)
