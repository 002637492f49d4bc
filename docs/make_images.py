"""Make the pictures of the panels in ``images/`` anew: ``python docs/make_images.py``, some minutes, no screen."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

RUN = "from napari_autofocus.cli import main; main()"
IMAGES = Path(__file__).parent / "images"
PICTURES = {
    "2-propose.png": "propose.png",
    "6-hold.png": "hold.png",
    "7-sweep.png": "sweep.png",
    "8-runs.png": "runs.png",
}
"""Pictures that the tour takes, and what they are called here."""


def demo(*options: str) -> None:
    """Run the demo on a screen in memory."""
    subprocess.run([sys.executable, "-c", RUN, "demo", "--headless", *options], check=True)


def picture_by(script: str, name: str) -> None:
    """What a script beside this one shows, on a screen in memory."""
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24"]
    taken = IMAGES / name
    subprocess.run([*screen, sys.executable, str(Path(__file__).with_name(script)), str(taken)], check=True)
    with Image.open(taken) as picture:
        small = picture.convert("RGB").quantize(256, kmeans=1)
    small.save(taken, optimize=True)


def main() -> None:
    """Take the tour, film a refocus, keep what the docs show."""
    with tempfile.TemporaryDirectory() as folder:
        demo("--out", folder)
        for taken, name in PICTURES.items():
            with Image.open(Path(folder) / taken) as picture:
                picture.convert("RGB").quantize(256, kmeans=1).save(IMAGES / name, optimize=True)
    demo("--gif", str(IMAGES / "refocus.gif"))
    picture_by("label_desk.py", "labelling_desk.png")
    picture_by("picture_acquiring.py", "acquire.png")


if __name__ == "__main__":
    main()
