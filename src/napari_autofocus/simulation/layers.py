"""A field cut into thin flat layers, ready to be blurred: what is done once a field, whatever the axial position.

A sheet whose height varies is shared out among flat layers: each point's signal goes to the two layers next to it in
height, by linear weights, so nothing is lost or counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from napari_autofocus.simulation.content import ContentSheet, FieldContent
from napari_autofocus.simulation.transfer import FrequencyGrid, frequency_grid

FloatImage = npt.NDArray[np.float32]
Signal = Literal["intensity", "phase", "absorption"]

#: Two threads: more gain nothing on images of this size.
WORKERS = 2


@dataclass(frozen=True, eq=False)
class FlatLayer:
    """One flat layer.

    Parameters
    ----------
    height_um : float
        Towards the objective, µm.
    signal : {'intensity', 'phase', 'absorption'}
        What is blurred, and so which transfer function applies.
    spectrum : np.ndarray, shape (1 or 3, Y, X // 2 + 1), complex64
        Fourier transform of the signal on the padded grid, pixel response included; one for all colours or one each.
    """

    height_um: float
    signal: Signal
    spectrum: npt.NDArray[np.complex64]


@dataclass(frozen=True, eq=False)
class LayeredField:
    """A field ready to be blurred.

    Parameters
    ----------
    groups : tuple of tuple of FlatLayer
        Signals within a group add up; groups (the sheets of an absorbing specimen) multiply as transmissions.
    """

    content: FieldContent
    grid: FrequencyGrid
    groups: tuple[tuple[FlatLayer, ...], ...]


def layered(
    content: FieldContent, spacing_um: float, *, even: bool = False, wavelength_um: float = 0.54
) -> LayeredField:
    """Cut a field into layers no farther apart than ``spacing_um``.

    Parameters
    ----------
    even : bool
        Everything at one depth and no phase: phase is shown as weak absorption.
    wavelength_um : float
        At which phase becomes absorption in that case.
    """
    outer = content.sheets[0].content.shape
    padded = (scipy.fft.next_fast_len(outer[0], real=True), scipy.fft.next_fast_len(outer[1], real=True))
    grid = frequency_grid(padded, content.pixel_size_um)
    one_height = even_height_um(content) if even else None
    groups = []
    for sheet in content.sheets:
        height = sheet.height_um if one_height is None else one_height
        signals = _even_signals(sheet, wavelength_um) if even else _signals(sheet, content)
        groups.append(
            tuple(layer for signal, image in signals for layer in _cut(signal, image, height, spacing_um, grid))
        )
    absorbs = (
        all(layer.signal == "intensity" for group in groups for layer in group) and content.contrast != "fluorescence"
    )
    return LayeredField(
        content, grid, tuple(groups) if absorbs else (tuple(layer for group in groups for layer in group),)
    )


def strength_of(sheet: ContentSheet) -> FloatImage:
    """How much a sheet has at each pixel, in whatever it shows itself by; shape (Y, X)."""
    strength = np.zeros(sheet.content.shape, np.float32)
    for image in (sheet.absorbance, sheet.emission):
        if image is not None:
            strength += image.sum(axis=2)
    if sheet.optical_path_um is not None:
        strength += np.abs(sheet.optical_path_um)
    return strength


def height_map(content: FieldContent) -> FloatImage:
    """Height of the sheet whose content dominates at each pixel of the field, µm, shape (Y, X) without margin."""
    heights = [np.broadcast_to(np.asarray(s.height_um, np.float32), s.content.shape) for s in content.sheets]
    if len(heights) == 1:
        return np.array(content.inner(heights[0]))
    dominant = np.argmax([content.inner(strength_of(sheet)) for sheet in content.sheets], axis=0)
    return np.asarray(np.choose(dominant, [content.inner(height) for height in heights]), np.float32)


def has_content(content: FieldContent) -> npt.NDArray[np.bool_]:
    """Where any sheet carries content, shape (Y, X) without margin."""
    return np.asarray(np.any([content.inner(sheet.content) for sheet in content.sheets], axis=0))


def even_height_um(content: FieldContent) -> float:
    """The one depth that a field has under even optics: the median height of its content, µm."""
    heights, mask = height_map(content), has_content(content)
    return float(np.median(heights[mask] if mask.any() else heights))


def _signals(sheet: ContentSheet, content: FieldContent) -> Iterator[tuple[Signal, FloatImage]]:
    """What of a sheet is blurred: light taken away, light given off, or path and weak absorbance."""
    if content.contrast == "absorption" and sheet.absorbance is not None:
        yield "intensity", -np.expm1(-sheet.absorbance)
    elif content.contrast == "fluorescence" and sheet.emission is not None:
        yield "intensity", sheet.emission
    elif content.contrast == "phase":
        if sheet.optical_path_um is not None:
            yield "phase", sheet.optical_path_um[..., None]
        if sheet.absorbance is not None:
            yield "absorption", sheet.absorbance


def _even_signals(sheet: ContentSheet, wavelength_um: float) -> Iterator[tuple[Signal, FloatImage]]:
    if sheet.emission is not None:
        yield "intensity", sheet.emission
        return
    absorbance = np.zeros((*sheet.content.shape, 3), np.float32) if sheet.absorbance is None else sheet.absorbance
    if sheet.optical_path_um is not None:
        absorbance = absorbance + np.abs(np.pi / wavelength_um * sheet.optical_path_um[..., None])
    yield "intensity", -np.expm1(-absorbance.astype(np.float32))


def _cut(
    signal: Signal, image: FloatImage, height_um: FloatImage | float, spacing_um: float, grid: FrequencyGrid
) -> Iterator[FlatLayer]:
    low, high = float(np.min(height_um)), float(np.max(height_um))
    count = int(np.ceil((high - low) / spacing_um)) + 1
    if count == 1:
        yield FlatLayer(low, signal, _spectrum(image, grid))
        return
    place = (np.asarray(height_um, np.float32) - low) / np.float32((high - low) / (count - 1))
    for index, height in enumerate(np.linspace(low, high, count)):
        weight = np.clip(1 - np.abs(place - index), 0, None)[..., None]
        yield FlatLayer(float(height), signal, _spectrum(image * weight, grid))


def _spectrum(image: FloatImage, grid: FrequencyGrid) -> npt.NDArray[np.complex64]:
    """Spectrum (C, Y, X // 2 + 1) of an image (Y, X, C), mirrored at its border up to the grid's shape."""
    below, right = grid.shape[0] - image.shape[0], grid.shape[1] - image.shape[1]
    planes = [
        cv2.copyMakeBorder(np.ascontiguousarray(image[..., c], np.float32), 0, below, 0, right, cv2.BORDER_REFLECT)
        for c in range(image.shape[2])
    ]
    spectrum = scipy.fft.rfft2(np.stack(planes), axes=(1, 2), workers=WORKERS)
    spectrum *= grid.pixel_response
    return np.asarray(spectrum)
