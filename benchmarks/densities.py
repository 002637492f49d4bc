"""Where each method breaks: the same fields and starts, from dense down to a single cell, asked of every method.

    python benchmarks/densities.py [--model brightfield-20x] [--fields 8] [--draws 4] [--sweep-draws 2] [--minutes M]

fields      The nominal fields of ``single_shot.py`` (20x/0.75, 1224 x 1024 px, all stains in turn) of each density, and
            fields of 1, 2, 5 and 10 cells (``density_fields.py``), --fields of each.
starts      --draws random defocus values within ±10 µm a field, the same for every method; sweeps take the first
            --sweep-draws of them.
two stages  The model: patches chosen by importance.
all patches The model's second stage on every patch of the frame (touching, not overlapping): mean, and median (as Rai
            Dastidar does). The median of the patches of most contrast (at least half of that of the patch that has the
            most) is our own addition: it stands for a choice of patches that nothing was taught.
whole image MobileNetV3-small on the frame reduced, taught by ``whole_image.py``; left out where it was not.
sweeps      Every classical search of the project on the simulated microscope, ±10 µm around the start, steps of 1 µm,
            drives of both directions with 1 µm of play, on a virtual clock. Its error is the defocus it ends at.

Refusals. Baselines of one frame never refuse; the model may (no content, unsure, out of range), and a sweep may end
without a peak to trust and return. `MAE` is over the answers; in `MAE all`, `DOF/2` and `DOF` nobody gains by refusing:
a frame without an answer counts as left where it was, with its whole defocus as its error.

Answers are kept in the --work folder, a line a field, and are not asked for again. With --minutes no field is begun
after that long, and the rows tell how many they rest on. Writes benchmarks/results/densities.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from density_fields import CELLS, GROUPS, SLIDES_LAID_OVER, Ground
from density_methods import (
    CONTRAST,
    HALF_THE_CONTRAST,
    OURS,
    REDUCTIONS,
    SWEEPS,
    Patches,
    Sweeps,
    Together,
    WholeImage,
)
from density_rows import Answers, compared, print_table, row_of
from density_run import Plan, answers_of
from napari_autofocus.models.package import ModelPackage
from single_shot_fields import describe
from single_shot_networks import fingerprint, package_of
from whole_image import FOLDER, weights_of

RESULT = Path(__file__).parent / "results" / "densities.json"
WANTED_RATIO = 0.5
WANTED_GROUP = "extremely-sparse"


def grounds_of(groups: list[str], fields: int) -> list[Ground]:
    """All fields, one of each group in turn, so that a run cut short has some of all."""
    return [Ground(group, number) for number in range(fields) for group in groups]


def rows_of(answers: Answers, methods: list[str], groups: list[str], dof_um: float) -> dict[str, dict[str, Any]]:
    """By group, then by method: the row, where the method was asked."""
    return {
        group: {method: row_of(answers[group, method], dof_um) for method in methods if answers.get((group, method))}
        for group in groups
    }


def whole_image_records(folder: Path) -> list[dict[str, Any]]:
    """How the whole-image networks came about."""
    paths = [weights_of(folder, number).with_suffix(".json") for number in REDUCTIONS]
    return [json.loads(path.read_text()) for path in paths if path.is_file()]


def asked(options: argparse.Namespace) -> tuple[Answers, list[str]]:
    """What every method says, and which there are, in the order of the tables."""
    grounds = grounds_of(options.groups.split(","), options.fields)
    taught = [number for number in REDUCTIONS if weights_of(options.whole, number).is_file()]
    parts: list[Together] = [Patches(options.model), *(WholeImage(options.whole, number) for number in taught)]
    if options.sweep_draws:
        parts.append(Sweeps())
    answers: Answers = {}
    for part in parts:
        draws = options.sweep_draws if isinstance(part, Sweeps) else options.draws
        answers |= answers_of(part, grounds, Plan(draws, options.work, options.workers, options.minutes))
    return answers, [method for part in parts for method in part.methods]


def judged(comparisons: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The figure to reach: where content is extremely sparse, the model's error over the best baseline's."""
    found = []
    for against in ("best_single_frame", "best_of_all"):
        best = comparisons.get(WANTED_GROUP, {}).get(against)
        if best is not None and best["ratio"] is not None:
            figure = f"{WANTED_GROUP}: MAE all over that of the {against.replace('_', ' ')}"
            found.append({"figure": figure, **best, "at_most": WANTED_RATIO, "reached": best["ratio"] <= WANTED_RATIO})
    return found


def told_options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="brightfield-20x", help="name of a model, or a file")
    parser.add_argument("--whole", type=Path, default=FOLDER, help="folder of the whole-image networks")
    parser.add_argument("--fields", type=int, default=8, help="of each group")
    parser.add_argument("--draws", type=int, default=4, help="starts a field")
    parser.add_argument("--sweep-draws", type=int, default=2, help="of these, for sweeps; 0 for no sweeps")
    parser.add_argument("--groups", default=",".join(GROUPS), help="separated by commas")
    parser.add_argument("--minutes", type=float, help="for each part, after which no field is begun")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(".tmp/densities"), help="where single answers are kept")
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser.parse_args()


def facts(options: argparse.Namespace, package: ModelPackage) -> dict[str, Any]:
    """What was measured, with what, for the result file."""
    known = describe()
    return {
        "command": f"python benchmarks/densities.py {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.date.today().isoformat(),
        "model": package.card.name,
        "model_sha256": fingerprint(package.path),
        "dof_um": package.card.dof_um,
        **{key: getattr(options, key) for key in ("fields", "draws", "sweep_draws")},
        **{key: known[key] for key in ("shape", "objective", "pixel_um", "range_um", "stains", "first_seed")},
        "cells": {"counts": list(CELLS), "slides_laid_over": SLIDES_LAID_OVER},
        "contrast_kept": HALF_THE_CONTRAST,
        "refusals": "MAE over answers; 'all' figures count a frame without an answer as left where it was",
        "same_network": list(Patches.methods),
        "whole_image": whole_image_records(options.whole),
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
    }


def main() -> None:
    """Ask what is missing, print the tables, write the result."""
    options = told_options()
    package, groups = package_of(options.model), options.groups.split(",")
    answers, methods = asked(options)
    rows = rows_of(answers, methods, groups, package.card.dof_um)
    by_group = {group: {method: answers.get((group, method), []) for method in methods} for group in groups}
    comparisons = {group: compared(told, OURS, (CONTRAST,), SWEEPS) for group, told in by_group.items()}
    targets = judged(comparisons)
    print_table(rows)
    for target in targets:
        print(f"{'reached' if target['reached'] else 'MISSED':<8} {target}")
    found = {"methods": methods, "rows": rows, "comparisons": comparisons, "targets": targets}
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(facts(options, package) | found, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
