"""Whether a model reads systematically wrong: error by defocus through focus, with its response curve and without it.

    python benchmarks/bias.py [--model brightfield-20x] [--fields 24] [--seed 710000]

Fields of 1224 x 1024 px of slides that no training, calibration or evaluation has seen, the model's stains and three
densities in turn, a quarter of a depth of field apart within two of them. Error is reading minus truth. Writes
benchmarks/results/bias.json, for another model than brightfield-20x bias_NAME.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from napari_autofocus.models.evaluation import FieldResult, asked, result_of
from napari_autofocus.models.metrics import grouped, summary
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.models.simulated.checks import focal_series

RESULTS = Path(__file__).parent / "results"
NEAR_DOF = 1.0
"""Within this of focus a field counts as near."""
Answers = dict[str, list[FieldResult]]


def answers_of(predictor: ModelPredictor, fields: int, first_seed: int) -> Answers:
    """What the model says with its curve and without, of the same frames."""
    card = predictor.card
    kinds = {"without": predictor.variant(decision=replace(card.decision, response=None))}
    if card.decision.response is not None:
        kinds["with"] = predictor
    planes = (np.arange(-2, 2.001, 0.25) * card.dof_um).tolist()
    told: Answers = {kind: [] for kind in kinds}
    for number in range(fields):
        for frame in focal_series(card, number, first_seed + number, planes):
            for kind, asks in kinds.items():
                told[kind].append(result_of(asked(asks, frame), frame))
        print(f"\r{number + 1} of {fields} fields ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return told


def figures_of(results: list[FieldResult], dof_um: float) -> dict[str, Any]:
    """Bias, scatter between fields and mean error at each defocus; the usual figures near focus and beyond."""
    known = [(each.true_um, each.estimate_um - each.true_um) for each in results if each.estimate_um is not None]
    truth, error = np.array(known).T
    planes = {}
    for plane in np.unique(truth):
        errors = error[truth == plane]
        figures = errors.mean(), errors.std(), np.abs(errors).mean()
        planes[f"{plane:+.2f}"] = dict(
            zip(("bias_um", "sd_um", "mae_um"), (round(float(f), 4) for f in figures), strict=True)
        )
    near = [each for each in results if abs(each.true_um) <= NEAR_DOF * dof_um + 1e-9]
    biases = [row["bias_um"] for plane, row in planes.items() if abs(float(plane)) <= NEAR_DOF * dof_um + 1e-9]
    return {
        "near_bias_rms_um": round(float(np.sqrt(np.mean(np.square(biases)))), 4),
        "near_bias_largest_um": max(biases, key=abs),
        "near": summary(near, dof_um),
        "near_by_density": grouped(near, dof_um, lambda result: result.density),
        "beyond": summary([each for each in results if each not in near], dof_um),
        "by_defocus": planes,
    }


def print_table(kinds: dict[str, dict[str, Any]]) -> None:
    """A line a defocus: bias, scatter and mean error without the curve and with it."""
    print("defocus  " + "  ".join(f"{kind:>7}: bias     sd    MAE" for kind in kinds))
    for plane in next(iter(kinds.values()))["by_defocus"]:
        rows = (kind["by_defocus"][plane] for kind in kinds.values())
        cells = (f"{row['bias_um']:+14.3f} {row['sd_um']:6.3f} {row['mae_um']:6.3f}" for row in rows)
        print(f"{plane:>7}  " + "  ".join(cells))
    for kind, found in kinds.items():
        near = found["near"]
        print(
            f"{kind}: near focus MAE {near['mae_um']:.3f} µm, bias {found['near_bias_rms_um']:.3f} rms, at the largest"
            f" {found['near_bias_largest_um']:+.3f}; 90 % interval holds {near['interval90_coverage']:.1%}, refused"
            f" {near['refused']['all']:.1%}"
        )


def main() -> None:
    """Run the benchmark, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="brightfield-20x")
    parser.add_argument("--fields", type=int, default=24)
    parser.add_argument("--seed", type=int, default=710_000, help="of the first slide")
    parser.add_argument("--out", type=Path, help="results/bias.json, or bias_NAME.json, unless given")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    predictor = load_model(options.model).on_one_thread()
    told = answers_of(predictor, options.fields, options.seed)
    kinds = {kind: figures_of(results, predictor.card.dof_um) for kind, results in told.items()}
    print_table(kinds)
    result = {
        "command": f"python benchmarks/bias.py {' '.join(sys.argv[1:])}".strip(),
        "model": predictor.name,
        "fingerprint": predictor.fingerprint,
        "fields": options.fields,
        "seed": options.seed,
        "curve": kinds,
    }
    name = "bias.json" if predictor.name == "brightfield-20x" else f"bias_{predictor.name}.json"
    (options.out or RESULTS / name).write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
