"""What "in focus" means: how sharp an image is, where a z-stack is sharpest, and whether to believe it.

``sharpness`` measures images and their patches, ``zstack`` finds best focus in a z-stack. NumPy, SciPy and OpenCV only:
importing this room loads neither torch nor Qt nor pymmcore.
"""

from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.sharpness import MEASURES, Measure

__all__ = ["MEASURES", "Measure", "PatchGrid"]
