"""Keep the pictures of the five-minute start: ``python docs/figure_start.py [FOLDER]``, a minute, no screen.

FOLDER holds the pictures of a tour (``napari-autofocus demo --headless --out FOLDER``); without it the tour is taken.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from figure_style import IMAGES
from make_images import demo
from PIL import Image

PICTURES = {"1-look.png": "start_look.png", "5-refocus.png": "start_refocus.png"}


def keep(folder: Path) -> None:
    """Two pictures of a tour, in few colours."""
    for taken, name in PICTURES.items():
        with Image.open(folder / taken) as picture:
            picture.convert("RGB").quantize(256, kmeans=1).save(IMAGES / name, optimize=True)


def main(folders: list[str]) -> None:
    """Take the tour, unless somebody has."""
    if folders:
        keep(Path(folders[0]))
        return
    with tempfile.TemporaryDirectory() as folder:
        demo("--out", folder)
        keep(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
