"""Frames of known focus with something wrong that never changes where focus is: a file, a motion, the lamp, dust.

To measure what a model withstands, on any labelled frames. What each name does is in ``kinds.py``; what
befalls single patches when a model is taught is in ``disturbances.py``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.models.disturbed.kinds import KINDS, Kind, with_colours
from napari_autofocus.models.evaluation import Known, KnownPair
from napari_autofocus.models.seeing.frame import ModelFrame

__all__ = ["KINDS", "Disturbance", "disturbed", "disturbed_frames", "disturbed_image"]

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Disturbance:
    """Something that befalls frames, and how strongly.

    Parameters
    ----------
    name : str
        One of :data:`KINDS`.
    strength : float
        In the unit that the kind says.

    Raises
    ------
    InputError
        If there is no such disturbance or its strength is not allowed.
    """

    name: str
    strength: float

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise InputError(f"There is no disturbance {self.name!r}; use one of {', '.join(KINDS)}.")
        kind = KINDS[self.name]
        allowed = kind.least <= self.strength <= kind.most
        if not allowed or (kind.whole and self.strength != int(self.strength)):
            number = "a whole number" if kind.whole else "a number"
            raise InputError(
                f"The disturbance {self.name} ({kind.says}) takes {number} from {kind.least:g} to {kind.most:g};"
                f" found {self.strength:g}."
            )

    @classmethod
    def parse(cls, text: str) -> Disturbance:
        """Read ``jpeg=75``.

        Raises
        ------
        InputError
            If it is not NAME=STRENGTH, or either is wrong.
        """
        name, _, strength = text.partition("=")
        try:
            return cls(name.strip(), float(strength))
        except ValueError:
            raise InputError(
                f"A disturbance is written NAME=STRENGTH, as in jpeg=75 or motion-um=1; found {text!r}. Names:"
                f" {', '.join(KINDS)}."
            ) from None

    @property
    def kind(self) -> Kind:
        """What it does."""
        return KINDS[self.name]

    def __str__(self) -> str:
        return f"{self.name}={self.strength:g}"


def disturbed_frames(frames: Iterable[Known], disturbances: Sequence[Disturbance], *, seed: int = 0) -> Iterator[Known]:
    """Frames, or pairs of them, one by one as they would have come with all of that befalling them.

    Parameters
    ----------
    frames : iterable of KnownFrame or KnownPair
        Frames whose defocus is known; it stays what it is.
    disturbances : sequence of Disturbance
        In any order: they befall a frame as :data:`KINDS` has them.
    seed : int
        Of what is drawn (the direction of a motion, noise, where dust lies), anew for each frame.

    Raises
    ------
    InputError
        If a frame cannot have it: motion without a known pixel size, white balance of a grey frame.
    """
    for number, frame in enumerate(frames):
        yield disturbed(frame, disturbances, seed=(seed, number))


def disturbed(frame: Known, disturbances: Sequence[Disturbance], *, seed: int | tuple[int, ...] = 0) -> Known:
    """One frame, or both shots of a pair, disturbed; see :func:`disturbed_frames`."""
    if not disturbances:
        return frame
    lens = frame.optics.objective if frame.optics is not None else None
    pixel_um, entropy = lens.pixel_size_um if lens is not None else None, (seed,) if isinstance(seed, int) else seed
    if isinstance(frame, KnownPair):
        first, second = (
            disturbed_image(shot, disturbances, pixel_um=pixel_um, seed=entropy, shot=number)
            for number, shot in enumerate((frame.first, frame.second))
        )
        return replace(frame, first=first, second=second)
    return replace(frame, image=disturbed_image(frame.image, disturbances, pixel_um=pixel_um, seed=entropy))


def disturbed_image(
    image: npt.NDArray[Any],
    disturbances: Sequence[Disturbance],
    *,
    pixel_um: float | None,
    seed: tuple[int, ...] = (0,),
    shot: int = 0,
) -> npt.NDArray[Any]:
    """An image with all of that befalling it, of the type it had.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        u8, u16, or float in [0, 1]. What a JPEG file is made of is 8 bit; a deeper image is stretched to its brightest
        pixel for it.
    disturbances : sequence of Disturbance
        In any order.
    pixel_um : float or None
        Size of a pixel in the sample, µm.
    seed : tuple of int
        Of what is drawn.
    shot : int
        Which of several shots of one field: what is drawn for each apart.

    Raises
    ------
    InputError
        If the image cannot be read, or cannot have it.
    """
    frame = ModelFrame.of(image)
    light = with_colours(np.asarray(frame.pixels, np.float32) / np.float32(frame.full_scale))
    order = list(KINDS)
    for each in sorted(disturbances, key=lambda each: order.index(each.name)):
        _check_possible(each, frame, pixel_um)
        if each.strength == each.kind.none:
            continue
        of_kind = zlib.crc32(each.name.encode())  # the same draws at any strength, whatever else befalls the frame
        rng = np.random.default_rng([*seed, of_kind, shot if each.kind.random_light else 0])
        light = _befallen(light, each, rng, pixel_um=pixel_um, deep=frame.pixels.dtype != np.uint8)
    return _as_before(light, frame)


def _befallen(
    light: Float32, each: Disturbance, rng: np.random.Generator, *, pixel_um: float | None, deep: bool
) -> Float32:
    """Disturbed light in [0, 1]; a deep image is stretched for a file of 8 bit, and back."""
    stretch = np.float32(max(float(light.max()), 1e-6) if each.name == "jpeg" and deep else 1.0)
    strength = each.strength / pixel_um if each.kind.is_length and pixel_um else each.strength
    return np.asarray(np.clip(each.kind.befall(light / stretch, strength, rng) * stretch, 0, 1), np.float32)


def _check_possible(each: Disturbance, frame: ModelFrame, pixel_um: float | None) -> None:
    if each.kind.is_length and not pixel_um:
        raise InputError(
            f"The disturbance {each} takes a known pixel size; state the optics (--objective, --pixel-um)."
        )
    if each.kind.needs_colour and frame.colour == "mono":
        raise InputError(f"The disturbance {each} takes a colour image; this one is grey. Leave it out.")


def _as_before(light: Float32, frame: ModelFrame) -> npt.NDArray[Any]:
    """Light as the type and axes that the image had."""
    light = light if frame.colour == "rgb" else light[..., 0]
    if frame.pixels.dtype.kind == "f":
        return light.astype(frame.pixels.dtype)
    return np.asarray(np.rint(light * np.float32(frame.full_scale)).astype(frame.pixels.dtype))
