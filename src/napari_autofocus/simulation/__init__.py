"""A slide and the light that forms its image: specimens, wave optics and a camera, with the truth about focus."""

from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.content import ContentSheet, FieldContent
from napari_autofocus.simulation.imaging import ImageFormation
from napari_autofocus.simulation.psf import Optics
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.specimen import Specimen
from napari_autofocus.simulation.topography import Topography

__all__ = ["Camera", "ContentSheet", "FieldContent", "ImageFormation", "Optics", "Scene", "Specimen", "Topography"]
