"""How well best focus is labelled on simulated fields whose truth is known.

Dense fields give the error; sparse to empty ones show whether a trusted label can be trusted. Fields are 1224 x 1024 px
at 20x/0.75 (dense ones 612 x 512 px, which changes nothing but the time), at random places, with best focus anywhere
within ±20 % of the range. Resumes where it was stopped.

    python benchmarks/labelling.py [--fields 200] [--workers 2] [--only dense]
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from napari_autofocus.focus.zstack import StackFocus, ZStack, judge_stack
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.specimen import STAINS

RESULT = Path(__file__).parent / "results" / "labelling.json"
SEED = 2026
RANGE_UM = 10.0
FULL, SMALL = (1024, 1224), (512, 612)
# name -> (density, planes, shape)
CASES = {
    "dense, 41 planes": ("dense", 41, SMALL),
    "dense, 17 planes": ("dense", 17, SMALL),
    "sparse": ("sparse", 41, FULL),
    "extremely-sparse": ("extremely-sparse", 41, FULL),
    "empty": ("empty", 41, FULL),
}


def label_field(case: str, stain: str, index: int) -> dict[str, Any]:
    """Simulate one field, label it and compare with the truth."""
    cv2.setNumThreads(1)
    density, planes, shape = CASES[case]
    rng = np.random.default_rng([SEED, index, STAINS.index(stain), *case.encode()])
    scene = Scene.build(stain, density, seed=int(rng.integers(1 << 31)), shape=shape)
    x, y = rng.uniform(-5000, 5000, 2)
    truth = scene.best_focus_um(x, y)
    z = np.linspace(-RANGE_UM, RANGE_UM, planes) + truth + rng.uniform(-0.2, 0.2) * RANGE_UM
    stack = ZStack(np.stack(list(scene.stack(x, y, z, rng))), z, objective=scene.objective)
    return {"stain": stain, "index": index, **_compare(judge_stack(stack), scene, x, y, truth)}


def _compare(found: StackFocus, scene: Scene, x: float, y: float, truth: float) -> dict[str, Any]:
    focus = scene.best_focus_map(x, y)
    errors = [
        float(p.best_z_um - np.median(focus[p.y : p.y + p.size, p.x : p.x + p.size]))
        for p in found.trusted_patches
        if p.best_z_um is not None
    ]
    by_patches = found.best_z_from_patches_um
    return {
        "verdict": found.field.verdict,
        "trusted": found.field.trusted,
        "error_um": None if found.field.best_z_um is None else found.field.best_z_um - truth,
        "uncertainty_um": found.field.uncertainty_um,
        "patches_error_um": None if by_patches is None else by_patches - truth,
        "patch_errors_um": errors,
    }


def summarise(rows: list[dict[str, Any]], dof_um: float, density: str) -> dict[str, Any]:
    """Shares and errors of one case; errors in DOF."""
    empty = density == "empty"
    best = np.array([abs(r["error_um"]) for r in rows if r["error_um"] is not None]) / dof_um
    patch = np.array([e for r in rows for e in r["patch_errors_um"]]) / dof_um
    wrong = [_wrong(r, dof_um, empty) for r in rows]
    right = [not w and _usable(r) is not None for w, r in zip(wrong, rows, strict=True)]
    summary = {
        "fields": len(rows),
        "median_error_dof": _rounded(np.median(best)) if best.size else None,
        "p90_error_dof": _rounded(np.quantile(best, 0.9)) if best.size else None,
        "field_trusted": _rounded(np.mean([r["trusted"] for r in rows])),
        "trusted_and_right": None if empty else _rounded(np.mean(right)),
        "trusted_though_wrong": _rounded(np.mean(wrong)),
        "trusted_patches": int(patch.size),
        "trusted_patches_wrong": None if empty or not patch.size else _rounded(np.mean(np.abs(patch) > 1)),
    }
    if density == "dense":
        pulls = [abs(r["error_um"]) / r["uncertainty_um"] for r in rows if r["trusted"]]
        summary["median_error_over_uncertainty"] = _rounded(np.median(pulls)) if pulls else None
    return summary


def _usable(row: dict[str, Any]) -> float | None:
    """Error of the position a user would take: the field's where trusted, otherwise the trusted patches', µm."""
    return row["error_um"] if row["trusted"] else row["patches_error_um"]


def _wrong(row: dict[str, Any], dof_um: float, empty: bool) -> bool:
    error = _usable(row)
    return error is not None and (empty or abs(error) > dof_um)


def _rounded(value: float) -> float:
    return round(float(value), 4)


def main() -> None:
    """Run what is missing, print the table, write the result."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--fields", type=int, default=200, help="fields of each case")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--only", help="one case")
    arguments.add_argument("--rows", type=Path, default=Path(".tmp/labelling"), help="where single fields are kept")
    chosen = arguments.parse_args()
    chosen.rows.mkdir(parents=True, exist_ok=True)
    dof_um = Scene.build().objective.dof_um
    result = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    result |= {"command": f"python benchmarks/labelling.py --fields {chosen.fields}", "seed": SEED, "dof_um": dof_um}
    for case in [chosen.only] if chosen.only else CASES:
        rows = _rows(case, chosen.fields, chosen.workers, chosen.rows)
        density = CASES[case][0]
        stains = {s: summarise([r for r in rows if r["stain"] == s], dof_um, density) for s in STAINS}
        result.setdefault("cases", {})[case] = {**summarise(rows, dof_um, density), "by_stain": stains}
        print(case, json.dumps({k: v for k, v in result["cases"][case].items() if k != "by_stain"}, indent=None))
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


def _rows(case: str, fields: int, workers: int, folder: Path) -> list[dict[str, Any]]:
    """All fields of a case, in equal numbers of each stain; those labelled earlier are read back."""
    kept = folder / f"{case.replace(', ', '-').replace(' ', '-')}.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    wanted = [(STAINS[i % len(STAINS)], i // len(STAINS)) for i in range(fields)]
    done = {(r["stain"], r["index"]) for r in rows}
    missing = [w for w in wanted if w not in done]
    with ProcessPoolExecutor(workers) as pool, kept.open("a") as file:
        jobs = [pool.submit(label_field, case, stain, index) for stain, index in missing]
        for number, job in enumerate(jobs):
            rows.append(job.result())
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
            print(f"\r{case}: {number + 1} of {len(missing)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return [r for r in rows if (r["stain"], r["index"]) in set(wanted)]


if __name__ == "__main__":
    main()
