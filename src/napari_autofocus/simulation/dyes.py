"""Dyes of the pathology laboratory as the camera sees them: how absorbance divides between red, green and blue.

Optical-density vectors from A. C. Ruifrok and D. A. Johnston, "Quantification of histochemical staining by color
deconvolution", Anal. Quant. Cytol. Histol. 23 (2001) 291-299, and, for the dyes that are not in the paper, from
G. Landini's colour deconvolution plugin for ImageJ, which scikit-image carries as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
Dye = tuple[float, float, float]

HAEMATOXYLIN: Dye = (0.65, 0.70, 0.29)
DAB: Dye = (0.27, 0.57, 0.78)
# The plugin's eosin for H&E: the paper's (0.07, 0.99, 0.11) stood alone on its slide and is too magenta beside it.
EOSIN: Dye = (0.0928, 0.9541, 0.2831)
METHYL_BLUE: Dye = (0.8348, 0.5136, 0.1963)
LIGHT_GREEN: Dye = (0.9471, 0.2537, 0.1965)
ORANGE_G: Dye = (0.1073, 0.3677, 0.9237)


def absorbance(amounts: Mapping[Dye, FloatImage]) -> FloatImage:
    """Natural-log absorbance in red, green and blue, shape (Y, X, 3), of dyes that lie over one another.

    Parameters
    ----------
    amounts : mapping of Dye to np.ndarray, shape (Y, X)
        How much of each dye; 1 dims its strongest colours to about exp(−0.7).
    """
    dyes = np.array(list(amounts), np.float32)
    stack = np.stack(list(amounts.values()), axis=-1)
    return np.asarray(stack @ dyes, np.float32)
