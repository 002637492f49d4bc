"""Two shots: how well the second's defocus is told, on slides and stains never trained on, on even optics, from JPEG.

    python benchmarks/two_shot.py [--fields 60] [--model two-shot-20x] [--small two-shot-small-20x]

Every field in six pairs of shots 2 µm apart within ±10 µm. ``same stains`` are those trained on, ``unseen stain`` is
IHC. ``even`` optics show the same image on both sides of focus: one shot (brightfield-20x) can only guess there.
The small model is compared in error and in the time for the same fields, one thread each. JPEG: both shots pass
through files of that quality. Writes benchmarks/results/two_shot.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.models.evaluation import KnownPair
from napari_autofocus.models.pair_predictor import PairModelPredictor, load_pair_model
from napari_autofocus.models.predictor import load_model
from napari_autofocus.models.simulated.pairs import PairOptics, SimulatedPairs, simulate_pairs

RESULTS = Path(__file__).parent / "results" / "two_shot.json"
FIRST_SEED = 910_000
RANGE_UM = 10.0
DRAWS = 6


Estimate = Callable[[KnownPair], FocusEstimate]


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fields", type=int, default=60)
    parser.add_argument("--model", default="two-shot-20x")
    parser.add_argument("--small", default="two-shot-small-20x")
    chosen = parser.parse_args()
    full, small = (load_pair_model(name).on_one_thread() for name in (chosen.model, chosen.small))
    one_shot = load_model("brightfield-20x").on_one_thread()
    dense = SimulatedPairs(densities=("dense",), density_shares=(1.0,))
    unseen = replace(dense, stains=("ihc",))
    fields = chosen.fields
    kept = list(_pairs(dense, fields))
    tables: dict[str, Any] = {
        "full, dense, same stains": told(_two(full), kept),
        "small, dense, same stains": told(_two(small), kept),
        "full, dense, JPEG 75": told(_two(full), _as_jpeg(kept, 75)),
        "full, dense, JPEG 50": told(_two(full), _as_jpeg(kept, 50)),
        "one shot, dense, same stains": told(lambda pair: one_shot.estimate(pair.second, optics=pair.optics), kept),
    }
    _write({**tables, "parameters": {"full": _parameters(full), "small": _parameters(small)}})
    others: dict[str, tuple[SimulatedPairs, PairOptics]] = {
        "dense, unseen stain": (unseen, "nominal"),
        "all densities, same stains": (SimulatedPairs(), "nominal"),
        "dense, even optics": (dense, "even"),
        "dense, mirrored optics": (dense, "mirrored"),
    }
    for name, (settings, optics) in others.items():
        kept = list(_pairs(settings, fields, optics))
        tables[f"full, {name}"] = told(_two(full), kept)
        tables[f"small, {name}"] = told(_two(small), kept)
        tables[f"one shot, {name}"] = told(
            lambda pair: one_shot.estimate(pair.second, optics=pair.optics, insist=True), kept
        )
        _write(tables)


def told(estimate: Estimate, pairs: Iterable[KnownPair]) -> dict[str, Any]:
    """Figures of the best guesses, refused ones too, and of the trusted ones."""
    errors, directions, trusted, seconds = [], [], [], 0.0
    for pair in pairs:
        began = time.perf_counter()
        found = estimate(pair)
        seconds += time.perf_counter() - began
        if found.defocus_um is None:
            errors.append(RANGE_UM)
            directions.append(False)
        else:
            errors.append(abs(found.defocus_um - pair.true_um))
            if abs(pair.true_um) > 0.5:
                directions.append(found.defocus_um * pair.true_um > 0)
        trusted.append(found.trusted or found.verdict == "uneven")
    error, sure = np.array(errors), np.array(trusted)
    figures = {
        "pairs": len(errors),
        "mae_um": float(error.mean()),
        "median_um": float(np.median(error)),
        "p95_um": float(np.percentile(error, 95)),
        "worst_um": float(error.max()),
        "direction": float(np.mean(directions)),
        "trusted": float(sure.mean()),
        "trusted_mae_um": float(error[sure].mean()) if sure.any() else None,
        "trusted_worst_um": float(error[sure].max()) if sure.any() else None,
        "ms_a_field": 1000 * seconds / len(errors),
    }
    print({name: value if value is None else round(value, 4) for name, value in figures.items()}, flush=True)
    return figures


def _two(model: PairModelPredictor) -> Estimate:
    return lambda pair: model.estimate_pair(pair.first, pair.second, dz_um=pair.dz_um, optics=pair.optics, insist=True)


def _pairs(settings: SimulatedPairs, fields: int, kind: PairOptics = "nominal") -> Iterator[KnownPair]:
    return simulate_pairs(settings, range(FIRST_SEED, FIRST_SEED + fields), DRAWS, RANGE_UM, kind=kind)


def _as_jpeg(pairs: Iterable[KnownPair], quality: int) -> Iterator[KnownPair]:
    for pair in pairs:
        yield replace(pair, first=_through_file(pair.first, quality), second=_through_file(pair.second, quality))


def _through_file(image: npt.NDArray[Any], quality: int) -> npt.NDArray[Any]:
    _, written = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(written, cv2.IMREAD_COLOR)[..., ::-1])


def _parameters(model: PairModelPredictor) -> int:
    """Weights of stage two."""
    import safetensors.numpy

    from napari_autofocus.models.package.members import DEFOCUS_WEIGHTS

    tensors = safetensors.numpy.load(model.package.members[DEFOCUS_WEIGHTS])
    return int(sum(tensor.size for name, tensor in tensors.items() if not name.rsplit(".", 1)[1].startswith("running")))


def _write(tables: dict[str, Any]) -> None:
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known | tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
