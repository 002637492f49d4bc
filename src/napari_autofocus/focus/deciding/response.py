"""The response curve of a model: from what its network reads in a patch to the defocus that such a reading stands for.

A network that has seen focus itself more often than the planes beside it draws what is near focus towards it. Where
that happens alike on all fields, one curve undoes it, without new training. It is ours; ``response_fit.py`` fits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

MOST_KNOTS = 500


@dataclass(frozen=True)
class ResponseCurve:
    """Defocus by reading: straight lines between the knots, and beyond the last the same correction as there.

    Every patch is corrected by it before patches are pooled, so that what is shown of the patches, their spread and
    tilt, and the field's value agree. The uncertainty that a patch states stays as it is: near focus it already covers
    what the curve takes away.

    Parameters
    ----------
    reading_um : tuple of float
        What the network reads, µm; ascending, at least two.
    defocus_um : tuple of float
        What that stands for, µm; as many, ascending.

    Raises
    ------
    InputError
        If the knots are not such.
    """

    reading_um: tuple[float, ...]
    defocus_um: tuple[float, ...]

    def __post_init__(self) -> None:
        knots = len(self.reading_um)
        if not 2 <= knots <= MOST_KNOTS or len(self.defocus_um) != knots:
            raise InputError(
                f"A response curve takes 2 to {MOST_KNOTS} readings, each with its defocus; found {knots} and"
                f" {len(self.defocus_um)}."
            )
        for name, values in (("readings", self.reading_um), ("defocus values", self.defocus_um)):
            if not np.isfinite(values).all() or any(after <= before for before, after in pairwise(values)):
                raise InputError(f"The {name} of a response curve must be finite and ascend; found {values}.")

    def defocus(self, reading_um: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """What readings stand for, µm, of the same shape; NaN stays NaN."""
        reading = np.asarray(reading_um, np.float64)
        inside = np.clip(reading, self.reading_um[0], self.reading_um[-1])
        return np.asarray(np.interp(inside, self.reading_um, self.defocus_um) + (reading - inside), np.float64)
