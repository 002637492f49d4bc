"""A figure written as a picture, whole or not at all, without a window system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_autofocus.files import make_folder, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_png(figure: Figure, target: Path) -> Path:
    """Write a figure; its folder is made if need be, and a picture of the same name is replaced.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    make_folder(target.parent)
    with replacing(target) as unfinished:
        FigureCanvasAgg(figure).figure.savefig(unfinished, format="png")
    return target
