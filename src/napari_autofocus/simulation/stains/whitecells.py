"""White blood cells, as they lie in a smear or among other cells: a nucleus of one to four lobes in pale cytoplasm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Sites
from napari_autofocus.simulation.stains.nuclei import NucleusInk
from napari_autofocus.simulation.view import View

REACH_UM = 10.0
_LOBES = 4
# Share of neutrophils among white cells; the others are lymphocytes and monocytes, whose nucleus is one round lobe.
_NEUTROPHILS = 0.65


@dataclass(frozen=True, eq=False)
class WhiteCells:
    """White cells at given sites.

    Parameters
    ----------
    bodies : Outlines
        Their cytoplasm.
    nuclei : Outlines
        The lobes of their nuclei, some cells with several.
    """

    bodies: Outlines
    nuclei: Outlines

    @classmethod
    def at(cls, sites: Sites, scale: float = 1.0) -> WhiteCells:
        """Cells of 10 to 14 µm, times ``scale``."""
        bodies = Outlines.draw_lots(sites, (5.2 * scale, 6.8 * scale), stretch=1.25, lobed=0.03)
        lobes, parent, number = sites.children(_LOBES)
        lobed = (sites.uniform("kind") < _NEUTROPHILS)[parent]
        count = np.where(lobed, np.floor(sites.uniform("lobes", 2.4, _LOBES + 1))[parent], 1)
        away = np.where(lobed, 2.2 * scale, 0.6 * scale)
        turn = (sites.uniform("turn", 0, 2 * np.pi)[parent]) + number * lobes.uniform("step", 1.2, 1.6)
        places = lobes.moved(away * np.cos(turn), away * np.sin(turn))
        shapes = Outlines.draw_lots(places, (0.95, 1.1), stretch=1.35, lobed=0.05)
        size = np.where(lobed, 2.0, 4.3) * scale
        nuclei = Outlines(places, shapes.long_um * size, shapes.short_um * size, shapes.angle, shapes.lobes)
        return cls(bodies, nuclei.keep(number < count))

    def draw_nuclei(self, view: View, ink: NucleusInk) -> None:
        """Add the nuclei; their rim is hardly darker than their middle."""
        ink.draw(view, self.nuclei, np.ones(len(self.nuclei)), open_chromatin=0.12)

    def draw_bodies(self, view: View, cytoplasm: npt.NDArray[np.float32]) -> None:
        """Let ``cytoplasm``, shape (Y, X), be 1 in the cells."""
        for stamp in stamps(view, self.bodies):
            stamp.raise_to(cytoplasm, stamp.coverage(0.5))
