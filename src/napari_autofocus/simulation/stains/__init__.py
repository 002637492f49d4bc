"""What each stain shows: one painter for each, all alike to call."""

from __future__ import annotations

from napari_autofocus.simulation.content import Contrast
from napari_autofocus.simulation.stains.beads import paint_beads
from napari_autofocus.simulation.stains.blood import paint_blood
from napari_autofocus.simulation.stains.cytology import paint_cytology
from napari_autofocus.simulation.stains.fluorescence import paint_fluorescence
from napari_autofocus.simulation.stains.paint import Painter
from napari_autofocus.simulation.stains.tissue import paint_he, paint_ihc
from napari_autofocus.simulation.stains.unstained import paint_unstained

PAINTERS: dict[str, tuple[Painter, Contrast]] = {
    "he": (paint_he, "absorption"),
    "ihc": (paint_ihc, "absorption"),
    "cytology": (paint_cytology, "absorption"),
    "blood": (paint_blood, "absorption"),
    "unstained": (paint_unstained, "phase"),
    "fluorescence": (paint_fluorescence, "fluorescence"),
    "beads": (paint_beads, "fluorescence"),
}
