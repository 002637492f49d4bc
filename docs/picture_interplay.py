"""Pictures of ``interplay.md``: ``xvfb-run -a python docs/picture_interplay.py ICONS``, on a screen of 1920 x 1080.

The widgets of pymmcore-widgets fetch their icons from the internet while they run. Here they come from a folder of icon
sets, ``mdi.json`` and so on, as the npm packages ``@iconify-json/mdi``, ``ic``, ``bi``, ``ph``, ``majesticons`` and
``fluent`` hold them.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import superqt.iconify
from PIL import Image

ROOT = Path(__file__).parents[1]
PICTURES = {"mda_widget.py": "interplay_mda_widget.png", "beside_napari_micromanager.py": "interplay_napari.png"}


def icons_from(sets: Path, scratch: Path) -> None:
    """Let widgets take their icons from a folder."""

    @cache
    def icon_set(name: str) -> dict[str, Any]:
        return json.loads((sets / f"{name}.json").read_text(encoding="utf-8"))

    def svg_path(*key: str, color: str | None = None, **_: Any) -> Path:
        kind, name = key if len(key) == 2 else key[0].split(":")
        known = icon_set(kind)
        icon = known["icons"][known.get("aliases", {}).get(name, {}).get("parent", name)]
        side = icon.get("width", known.get("width", 16)), icon.get("height", known.get("height", 16))
        body = icon["body"].replace("currentColor", color or "black")
        made = scratch / f"{kind}-{name}-{(color or '').strip('#')}.svg"
        made.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side[0]} {side[1]}">{body}</svg>')
        return made

    superqt.iconify.svg_path = svg_path


def show(example: str, sets: Path, taken: Path) -> None:
    """Run one example, which takes a picture of itself; for a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NAPARI_CONFIG"] = str(
            Path(scratch) / "settings.yaml"
        )  # those of whoever runs this stay as they are
        from napari.settings import get_settings

        get_settings().application.gui_notification_level = "error"
        icons_from(sets, Path(scratch))
        sys.argv = [example, "--run", "--picture", str(taken)]
        runpy.run_path(str(ROOT / "examples" / example), run_name="__main__")


def main(sets: Path) -> None:
    """Both windows, in few colours."""
    for example, name in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            taken = Path(folder) / "taken.png"
            subprocess.run([sys.executable, __file__, str(sets), example, str(taken)], check=True)
            with Image.open(taken) as picture:
                small = picture.convert("RGB").quantize(256, kmeans=1)
            small.save(Path(__file__).parent / "images" / name, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(Path(sys.argv[1]))
    else:
        show(sys.argv[2], Path(sys.argv[1]), Path(sys.argv[3]))
