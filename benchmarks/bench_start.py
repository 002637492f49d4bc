"""How long one waits before anything happens: importing the package, the shell's help, the demo's first live image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_rows import MS, Findings, Limit, Row, Times, take_turns

HERE = Path(__file__).parent
ROOT = HERE.parent
IMPORT_LIMIT_MS, FIRST_IMAGE_LIMIT_MS = 300.0, 15_000.0
DEMO_REPEATS = 3
_BARE = "python that does nothing"
_DEMO_BEYOND = (
    "the panels, the microscope's control and the model's runtime are imported as well, and the slide is simulated"
)


def measure(quick: bool, threads: int) -> Findings:
    """All rows of this subject."""
    found = Findings(
        facts={"threads": threads, "promised ms": {"import": IMPORT_LIMIT_MS, "demo": FIRST_IMAGE_LIMIT_MS}}
    )
    seconds = 2.0 if quick else 8.0
    found.rows += _processes(seconds)
    if not os.environ.get("DISPLAY"):
        found.skipped["the demo's first live image"] = "There is no screen, and no xvfb-run to make one in memory."
        return found
    found.rows.append(_first_image(1 if quick else DEMO_REPEATS))
    make = shutil.which("make")
    if make:
        times = take_turns({"make": lambda: _call([make, "-C", str(ROOT), "-n", "demo"])}, seconds=1, most=5)
        found.facts["make's own checks, ms"] = MS * times["make"].median_s
    return found


def _processes(seconds: float) -> list[Row]:
    python = sys.executable
    scripts = {
        _BARE: "pass",
        "import napari_autofocus": "import napari_autofocus",
        "import numpy": "import numpy",
        "import torch": "import torch",
        "napari-autofocus --help": _shell("--help"),
        "napari-autofocus estimate --help": _shell("estimate", "--help"),
    }
    calls: dict[str, Callable[[], Any]] = {
        name: lambda script=script: _call([python, "-c", script]) for name, script in scripts.items()
    }
    times = {name: _without_cpu(found) for name, found in take_turns(calls, seconds=seconds, most=15).items()}
    bare = Limit(
        MS * times[_BARE].median_s,
        "starting python",
        "the package is looked for along the path, which takes longer than reading it",
    )
    shell = Limit(bare.value, "starting python", "the shell's library (typer, with rich for its pages) is imported")
    one = Limit(
        bare.value, "starting python", "numpy, OpenCV and the command's own modules are imported for its options"
    )
    others = {name: times[name] for name in ("import numpy", "import torch")}
    return [
        Row.of_times(
            "python -c 'import napari_autofocus'", times["import napari_autofocus"], against=others, limit=bare
        ),
        Row.of_times("napari-autofocus --help", times["napari-autofocus --help"], limit=shell),
        Row.of_times("napari-autofocus estimate --help", times["napari-autofocus estimate --help"], limit=one),
    ]


def _shell(*words: str) -> str:
    return (
        f"import sys; sys.argv = ['napari-autofocus', *{list(words)!r}]; from napari_autofocus.cli import main; main()"
    )


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)


def _without_cpu(times: Times) -> Times:
    """The processor's time was another process's."""
    return Times(times.wall_s)


def _first_image(repeats: int) -> Row:
    """From starting the demo until a frame of the live camera has been drawn; and napari alone until an image has."""
    found: dict[str, list[float]] = {"demo": [], "napari": []}
    for _ in range(repeats):
        for what, values in found.items():
            values.append(MS * _seconds_to_image(what))
    alone = float(sorted(found["napari"])[len(found["napari"]) // 2])
    name = "napari alone, to an image that is drawn"
    limit = Limit(alone, name, _DEMO_BEYOND)
    return Row.of_values(
        "napari-autofocus demo, to the first live image", "ms", found["demo"], against={name: alone}, limit=limit
    )


def _seconds_to_image(what: str) -> float:
    with tempfile.TemporaryDirectory() as settings:
        environment = {**os.environ, "NAPARI_CONFIG": str(Path(settings) / "settings.yaml")}
        began = time.time()
        command = [sys.executable, str(HERE / "first_image.py"), what]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, env=environment)
    return float(done.stdout.split()[-1]) - began
