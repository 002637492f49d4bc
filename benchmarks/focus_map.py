"""How well a surface through focus points tells what lies between them, and whether its stated error is met.

Simulated slides of 10 x 10 mm: tilt 30 µm, four waves of 6 to 14 mm that add to ±5 µm, 16 x 16 points with 20 % empty
and a noise of 0.1 µm; with and without one point in ten wrong by 2 to 15 µm.

    python benchmarks/focus_map.py
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "slide"))
from surfaces_of_slides import SIDE_UM, surveyed, wavy_slide

from napari_autofocus.slide.focus_map import Surface, fit_focus_map

RESULTS = Path(__file__).parent / "results" / "focus_map.json"
SLIDES, SIDE, PLACES = 10, 16, 500
SURFACES: tuple[Surface, ...] = ("auto", "plane", "spline", "rbf")
INTERVAL90 = 1.645


def measure(surface: Surface, wrong_share: float) -> dict[str, object]:
    """Errors between points over all slides, µm."""
    errors, is_covered, seconds, chosen, missed, wrongly = [], [], [], set(), 0, 0
    wrong_count = 0
    for seed in range(SLIDES):
        rng = np.random.default_rng(seed)
        height_um = wavy_slide(rng)
        wrong = {
            int(index): float(rng.choice([-1, 1]) * rng.uniform(2, 15))
            for index in np.flatnonzero(rng.random(SIDE * SIDE) < wrong_share)
        }
        points = surveyed(height_um, rng, side=SIDE, wrong_um=wrong)
        started = time.process_time()
        found = fit_focus_map(points, surface=surface)
        seconds.append(time.process_time() - started)
        x, y = rng.uniform(0, SIDE_UM, (2, PLACES))
        error = np.abs(found.z_um(x, y) - height_um(x, y))
        errors.append(error)
        is_covered.append(error <= INTERVAL90 * found.error_at_um(x, y))
        chosen.add(found.surface)
        missed += len(set(wrong) - set(found.rejected))
        wrongly += len(set(found.rejected) - set(wrong))
        wrong_count += len(wrong)
    return {
        "mae_um": round(float(np.mean(errors)), 4),
        "worst_slide_mae_um": round(float(np.mean(errors, axis=1).max()), 4),
        "interval90_coverage": round(float(np.mean(is_covered)), 3),
        "wrong_points": wrong_count,
        "missed": missed,
        "wrongly_rejected": wrongly,
        "chosen": sorted(chosen),
        "median_cpu_seconds": round(float(np.median(seconds)), 3),
    }


def main() -> None:
    """Measure and write the results."""
    told: dict[str, object] = {
        "command": "python benchmarks/focus_map.py",
        "date": datetime.now(UTC).date().isoformat(),
        "slides": SLIDES,
        "seeds": [0, SLIDES - 1],
        "points": SIDE * SIDE,
        "empty": 0.2,
        "noise_um": 0.1,
    }
    for share in (0.0, 0.1):
        for surface in SURFACES:
            told[f"{surface}, {share:.0%} wrong"] = figures = measure(surface, share)
            print(surface, share, figures, flush=True)
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
