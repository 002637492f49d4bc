"""Images that no camera took, into files that say so: which model made them, of which shots, and how far to trust them.

An OME-TIFF says it in its description and in an annotation, a PNG in its text; both name the model's fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing
from napari_autofocus.io.made_tiff import made_tiff_entries, write_made_tiff
from napari_autofocus.io.planes import PICTURES
from napari_autofocus.io.reading import reading
from napari_autofocus.optics import Objective

VIRTUAL = "virtual"
_VIRTUAL_IMAGE = "Virtual image"
_TIFF, _PNG, _JPEG = (".tif", ".tiff"), (".png",), (".jpg", ".jpeg")
SUFFIXES = (*_TIFF, *_PNG, *_JPEG)
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class VirtualOrigin:
    """Where a virtual image comes from.

    Parameters
    ----------
    model, fingerprint : str
        Name of the model, and SHA-256 of its package.
    first, second : str
        The two shots.
    shift_px : tuple of float
        How far (down, right) the second shot lay against the first, px.
    verdict : str
        Whether it is to be trusted.
    notes : tuple of str
        Reasons and warnings.
    """

    model: str
    fingerprint: str
    first: str
    second: str
    shift_px: tuple[float, float] = (0.0, 0.0)
    verdict: str = ""
    notes: tuple[str, ...] = ()

    def sentence(self) -> str:
        """For people: that no camera took this, and what made it."""
        return (
            f"{_VIRTUAL_IMAGE}: no camera took it. Recovered by {self.model} ({self.fingerprint[:12]}) from"
            f" {self.first} and {self.second}; verdict: {self.verdict or 'none'}."
        )

    def entries(self) -> dict[str, str]:
        """For programs: plain texts by name."""
        return {
            "kind": VIRTUAL,
            "model": self.model,
            "model_fingerprint": self.fingerprint,
            "first": self.first,
            "second": self.second,
            "shift_px": json.dumps([round(value, 3) for value in self.shift_px]),
            "verdict": self.verdict,
            "notes": " ".join(self.notes),
        }


def check_image_path(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done for it.

    Raises
    ------
    InputError
        If its ending is another than :data:`SUFFIXES`, or its folder does not exist.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"An image is written as {', '.join(SUFFIXES)}; {path.name!r} is none of these: change its ending"
            " (.ome.tif keeps most)."
        )
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} for {path.name} does not exist; make it first.")


def write_virtual_image(
    path: Path,
    image: npt.NDArray[Any],
    origin: VirtualOrigin,
    *,
    pixel_size_um: float | None = None,
    objective: Objective | None = None,
) -> Path:
    """Write an image with its origin.

    Parameters
    ----------
    path : Path
        Ends in one of :data:`SUFFIXES`; an existing file is replaced.
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        TIFF takes any type, PNG u8 and grey u16, JPEG u8.
    origin : VirtualOrigin
        Written into the file.
    pixel_size_um : float, optional
        Size of a pixel in the sample, µm.
    objective : Objective, optional
        With the camera behind it.

    Raises
    ------
    InputError
        If the file cannot hold such an image, or cannot be written.
    """
    check_image_path(path)
    suffix = path.suffix.lower()
    if suffix in _TIFF:
        write_made_tiff(path, image, origin.sentence(), origin.entries(), pixel_size_um, objective)
        return path
    _check_plain(path, image, suffix)
    with replacing(path) as unfinished:
        if suffix in _PNG:
            Image.fromarray(image).save(unfinished, format="PNG", pnginfo=_png_text(origin))
        else:
            comment = (origin.sentence() + "\n" + json.dumps(origin.entries())).encode()
            Image.fromarray(image).save(unfinished, format="JPEG", quality=_JPEG_QUALITY, comment=comment)
    return path


def virtual_origin(path: Path) -> Mapping[str, str] | None:
    """What a file says of its virtual origin, texts by name; None where it does not say that it is virtual.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    with reading(path, "an image"):
        if path.suffix.lower() in _TIFF:
            said = made_tiff_entries(path)
        else:
            with Image.open(path, formats=PICTURES) as opened:
                said = _in_plain(opened)
    return said if said.get("kind") == VIRTUAL else None


def _check_plain(path: Path, image: npt.NDArray[Any], suffix: str) -> None:
    deep = suffix in _PNG and image.ndim == 2 and image.dtype == np.uint16
    if image.dtype != np.uint8 and not deep:
        colours = "in colour" if image.ndim == 3 else "grey"
        raise InputError(f"{path.name} cannot hold an image of type {image.dtype} {colours}; name it .ome.tif.")


def _png_text(origin: VirtualOrigin) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Description", origin.sentence())
    for name, value in origin.entries().items():
        text.add_itxt(f"napari-autofocus {name}", value)
    return text


def _in_plain(opened: Image.Image) -> dict[str, str]:
    comment = opened.info.get("comment")
    if isinstance(comment, bytes):
        if not comment.startswith(_VIRTUAL_IMAGE.encode()):
            return {}
        found = json.loads(comment[comment.find(b"\n") :])
        return {str(name): str(value) for name, value in found.items()}
    prefix = "napari-autofocus "
    texts = {name: value for name, value in opened.info.items() if isinstance(name, str)}
    return {name.removeprefix(prefix): str(value) for name, value in texts.items() if name.startswith(prefix)}
