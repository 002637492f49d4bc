"""How the optics form an image of a field: blur by wave optics, colour by colour, at any axial position.

What is approximated: absorbing and fluorescent specimens are imaged incoherently, i.e. transmitted intensity is blurred
by the intensity point image; several absorbing sheets multiply, each blurred by its own (layers as in Li et al. 2020,
eq. 2); transparent specimens are weak (first order in phase).
"""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from napari_autofocus.simulation.content import FieldContent
from napari_autofocus.simulation.layers import (
    WORKERS,
    FlatLayer,
    LayeredField,
    Signal,
    even_height_um,
    height_map,
    layered,
)
from napari_autofocus.simulation.phase import weak_object_transfer
from napari_autofocus.simulation.psf import Optics
from napari_autofocus.simulation.transfer import AxialTable, common_zero_um, incoherent_transfer

__all__ = ["ImageFormation", "Optics"]

FloatImage = npt.NDArray[np.float32]

#: Layers of an uneven field lie this many depths λ·n/NA² apart.
LAYER_SPACING = 0.3
_FIELDS_KEPT = 2


class ImageFormation:
    """Images of fields through given optics; the last fields and all transfer functions are kept.

    Parameters
    ----------
    optics : Optics
        The lens, the light and the condenser.
    """

    def __init__(self, optics: Optics) -> None:
        self.optics = optics
        self._fields: OrderedDict[int, LayeredField] = OrderedDict()

    def render(self, content: FieldContent, axial_um: float) -> FloatImage:
        """Image without noise.

        Parameters
        ----------
        content : FieldContent
            What stands in front of the objective.
        axial_um : float
            Axial position, µm; grows as sample and objective come together, 0 focuses height 0.

        Returns
        -------
        np.ndarray, shape (Y, X, 3), float32
            Relative intensity: 1 is empty bright field, or a bright fluorescent nucleus. Beside fluorescent points
            smaller than a pixel it may ring below 0 by a few per cent of the peak: such detail is finer than the
            sampling.
        """
        field = self._layered(content)
        images = [self._sum(field, group, axial_um) for group in field.groups]
        return np.asarray(cv2.merge([_light([image[c] for image in images], content) for c in range(3)]), np.float32)

    def best_focus_map(self, content: FieldContent) -> FloatImage:
        """The truth for each pixel: minus the height of the sheet that dominates there, µm, shape (Y, X)."""
        if self.optics.even:
            return np.full(content.shape, -even_height_um(content), np.float32)
        return -height_map(content)

    def _layered(self, content: FieldContent) -> LayeredField:
        kept = self._fields.get(id(content))
        if kept is None:
            spacing = LAYER_SPACING * self.optics.axial_scale_um
            kept = layered(content, spacing, even=self.optics.even, wavelength_um=self.optics.wavelengths_um[1])
            self._fields[id(content)] = kept
            if len(self._fields) > _FIELDS_KEPT:
                self._fields.popitem(last=False)
        return kept

    def _sum(self, field: LayeredField, layers: tuple[FlatLayer, ...], axial_um: float) -> FloatImage:
        """Sum of the blurred layers, shape (3, Y, X) on the padded grid."""
        total = np.zeros((3, field.grid.shape[0], field.grid.shape[1] // 2 + 1), np.complex64)
        zero = common_zero_um(self.optics, field.content.pixel_size_um)
        for layer in layers:
            for colour in range(3):
                place = axial_um + layer.height_um + zero - self.optics.colour_offsets_um[colour]
                transfer = field.grid.spread(self._curve(layer.signal, colour, place, field.grid.largest_frequency))
                total[colour] += layer.spectrum[min(colour, layer.spectrum.shape[0] - 1)] * transfer
        return np.asarray(scipy.fft.irfft2(total, s=field.grid.shape, axes=(1, 2), workers=WORKERS, overwrite_x=True))

    def _curve(self, signal: Signal, colour: int, place_um: float, largest_frequency: float) -> FloatImage:
        """Transfer function by which a signal is taken away from (absorption) or added to the light of one colour."""
        wavelength = self.optics.wavelengths_um[colour]
        table: AxialTable
        if signal == "intensity":
            return incoherent_transfer(self.optics, wavelength, largest_frequency).at(place_um)
        table = weak_object_transfer(self.optics, wavelength, largest_frequency, signal)
        factor = -2 * np.pi / wavelength if signal == "phase" else 1.0
        return np.asarray(np.float32(factor) * table.at(place_um))


def _light(planes: list[FloatImage], content: FieldContent) -> FloatImage:
    """Light of one colour in the field, shape (Y, X): given off, or left after each sheet has taken its share."""
    height, width = content.sheets[0].content.shape
    inner = [content.inner(plane[:height, :width]) for plane in planes]
    if content.contrast == "fluorescence":
        return inner[0]
    light = 1 - inner[0]
    for taken in inner[1:]:
        light *= 1 - taken
    return np.asarray(np.maximum(light, 0, out=light))
