"""Dyes of the pathology laboratory as the camera sees them: how absorbance divides between red, green and blue.

Haematoxylin and DAB: A. C. Ruifrok and D. A. Johnston, "Quantification of histochemical staining by color
deconvolution", Anal. Quant. Cytol. Histol. 23 (2001) 291-299. Eosin: the default of QuPath for H&E (P. Bankhead et al.,
"QuPath: Open source software for digital pathology image analysis", Sci. Rep. 7 (2017) 16878), because the paper's
(0.07, 0.99, 0.11) is purer magenta than sections are. The others: G. Landini's colour deconvolution plugin for ImageJ,
whose table scikit-image carries as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
Dye = tuple[float, float, float]

HAEMATOXYLIN: Dye = (0.65, 0.70, 0.29)
DAB: Dye = (0.27, 0.57, 0.78)
EOSIN: Dye = (0.2159, 0.8012, 0.5581)
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
