"""What it costs that freed memory goes back to the system: processor time and page faults of one estimate.

    python benchmarks/freed_memory.py

Processes that give it back and processes that do not take turns; of all estimates the quickest counts, since other
programs can only make one slower.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from napari_autofocus import load_model
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.io import open_stack
from napari_autofocus.memory import give_freed_memory_back
from napari_autofocus.optics import Objective

RESULTS = Path(__file__).parent / "results" / "freed_memory.json"
STACK = Path(__file__).parents[1] / "sample_data" / "he_dense.ome.tif"
MODEL = "brightfield-20x"
SIDES_PX = (1024, 2048)
TURNS, ESTIMATES, FIRST = 4, 25, 3
WAYS = ("kept", "given_back")


def estimates(way: str) -> dict[str, dict[str, float]]:
    """Processor time, ms, and page faults of an estimate in this process, by the side of the frame."""
    if way == "given_back" and not give_freed_memory_back():
        raise SystemExit("This C library cannot be told, or the environment has set it already.")
    model, plane = load_model(MODEL), open_stack(STACK).plane(5)
    optics = ImageOptics(Objective.parse("20x/0.75").with_pixel_size(0.325))
    told = {}
    for side in SIDES_PX:
        again = -(-side // min(plane.shape[:2]))
        frame = np.tile(plane, (again, again, 1))[:side, :side].copy()
        for _ in range(FIRST):
            model.estimate(frame, optics=optics)
        took_ms, faults = [], resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(ESTIMATES):
            began_s = time.process_time()
            model.estimate(frame.copy(), optics=optics)
            took_ms.append(1000 * (time.process_time() - began_s))
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        told[str(side)] = {"ms": min(took_ms), "median_ms": float(np.median(took_ms)), "faults": faults / ESTIMATES}
    return told


def measured() -> dict[str, dict[str, dict[str, float]]]:
    """The best of several processes each way."""
    found: dict[str, list[dict[str, dict[str, float]]]] = {way: [] for way in WAYS}
    for _ in range(TURNS):
        for way in WAYS:
            line = subprocess.run([sys.executable, __file__, way], check=True, capture_output=True, text=True).stdout
            found[way].append(json.loads(line))
    return {
        way: {
            str(side): {name: round(min(turn[str(side)][name] for turn in turns), 1) for name in turns[0][str(side)]}
            for side in SIDES_PX
        }
        for way, turns in found.items()
    }


def main() -> None:
    """Measure, print and write; as a child, measure one way."""
    if len(sys.argv) > 1:
        print(json.dumps(estimates(sys.argv[1])))
        return
    result = {
        "command": "python benchmarks/freed_memory.py",
        "date": datetime.now(UTC).date().isoformat(),
        "model": MODEL,
        "estimate": measured(),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
