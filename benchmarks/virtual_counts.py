"""What virtual refocusing is worth downstream, and what it makes of a wrong use: cells counted, doubts told.

    python benchmarks/virtual_counts.py [--fields 24] [--model tsva-20x]

Cells are counted alike (``focus/counting.py``) on both shots, on what was recovered and on the camera's frame in focus:
fields of H&E and cytology, dense and sparse, ΔD = 1, 2 and 3 µm, F missing focus by N(0, 1) µm. Wrong uses: both shots
5 to 8 µm off on one side, a second shot of another place, shots 8 to 40 px aside that are told not to be registered,
and other kinds of specimen (IHC, unstained, fluorescence). A wrong use is answered for if it is called doubtful, or if
the cells counted are as right as elsewhere. Writes
benchmarks/results/virtual_counts.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.counting import count_cells
from napari_autofocus.focus.likeness import psnr_db
from napari_autofocus.models.refocus.evaluation import KnownShots, as_light, sharper_of
from napari_autofocus.models.refocuser import VirtualImage, VirtualRefocuser, load_refocuser
from napari_autofocus.models.simulated.places import SimulatedPlaces, simulate_shots
from napari_autofocus.optics import Objective

RESULTS = Path(__file__).parent / "results" / "virtual_counts.json"
PIXEL_UM = Objective.parse("20x/0.75").pixel_size_um
SHAPE = (768, 768)
FIRST_SEED = 930_000
PLACES = SimulatedPlaces(stains=("he", "cytology"), densities=("dense", "sparse"), density_shares=(0.5, 0.5))

Use = Callable[[KnownShots, KnownShots], tuple[npt.NDArray[Any], npt.NDArray[Any]]]


def main() -> None:
    """Count, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fields", type=int, default=24)
    parser.add_argument("--model", default="tsva-20x")
    chosen = parser.parse_args()
    refocuser = load_refocuser(chosen.model)
    right = list(simulate_shots(PLACES, range(FIRST_SEED, FIRST_SEED + chosen.fields), (1.0, 2.0, 3.0), shape=SHAPE))
    _write("right use", _counted(refocuser, [(pair, pair.first, pair.second) for pair in right]))
    for name, pairs in _wrong_uses(right, max(4, chosen.fields // 2)):
        _write(name, _counted(refocuser, pairs, register=name != "not registered"))


def _wrong_uses(
    right: list[KnownShots], fields: int
) -> Iterator[tuple[str, list[tuple[KnownShots, npt.NDArray[Any], npt.NDArray[Any]]]]]:
    rng = np.random.default_rng(0)
    seeds = range(FIRST_SEED + 1000, FIRST_SEED + 1000 + fields)
    for name, side in (("both too far apart", -1), ("both too close", 1)):
        far = _one_side(seeds, side)
        yield name, [(pair, pair.first, pair.second) for pair in far]
    some = right[1::3][:fields]
    yield "another place", [(one, one.first, other.second) for one, other in pairwise(some)]
    shifted = [np.roll(pair.second, rng.integers(8, 41, 2), axis=(0, 1)) for pair in some]
    yield "not registered", [(pair, pair.first, moved) for pair, moved in zip(some, shifted, strict=True)]
    for stain in ("ihc", "unstained", "fluorescence"):
        pairs = simulate_shots(replace(PLACES, stains=(stain,)), seeds, (2.0,), shape=SHAPE)
        yield f"other specimen: {stain}", [(pair, pair.first, pair.second) for pair in pairs]


def _one_side(seeds: range, side: int) -> list[KnownShots]:
    """Both shots 5 to 8 µm off on one side."""
    from napari_autofocus.simulation import Scene, Specimen
    from napari_autofocus.simulation.psf import Optics

    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 33])
        stain = str(rng.choice(PLACES.stains))
        scene = Scene(Specimen(stain, "dense", seed), Optics(Objective.parse("20x/0.75")), shape=SHAPE)
        focus, off = scene.best_focus_um(0, 0), side * float(rng.uniform(6, 7))
        first, second, truth = (scene.snap(0, 0, focus + z, rng=rng) for z in (off - 1, off + 1, 0.0))
        found.append(KnownShots(first, second, truth, as_light(truth), 1.0, off, f"far-{seed}", stain, "dense"))
    return found


def _counted(
    refocuser: VirtualRefocuser,
    pairs: list[tuple[KnownShots, npt.NDArray[Any], npt.NDArray[Any]]],
    *,
    register: bool = True,
) -> dict[str, Any]:
    rows = []
    for pair, first, second in pairs:
        found = _recovered(refocuser, first, second, register)
        rows.append(
            {
                "true": _cells(pair.truth),
                "recovered": _cells(found.image),
                "sharper": _cells(sharper_of(first, second)),
                "blurrier": min(_cells(first), _cells(second)),
                "doubtful": not found.trusted,
                "gain_db": psnr_db(found.image, pair.truth) - psnr_db(sharper_of(first, second), pair.truth),
                "stain": pair.stain,
                "half_um": pair.half_um,
                "reasons": list(found.reasons),
            }
        )
    return {**_summary(rows), "rows": rows}


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    true = np.array([row["true"] for row in rows], float)
    figures: dict[str, Any] = {
        "pairs": len(rows),
        "mean_true": float(true.mean()),
        "doubtful": float(np.mean([row["doubtful"] for row in rows])),
        "gain_db": float(np.mean([row["gain_db"] for row in rows])),
    }
    for name in ("recovered", "sharper", "blurrier"):
        difference = np.array([row[name] for row in rows], float) - true
        figures[name] = {
            "mean": float(np.mean([row[name] for row in rows])),
            "signed_percent": float(100 * difference.sum() / max(true.sum(), 1)),
            "absolute_percent": float(100 * np.abs(difference).sum() / max(true.sum(), 1)),
        }
    sure = [row for row in rows if not row["doubtful"]]
    figures["sure_but_worse_than_the_sharper_shot"] = float(np.mean([row["gain_db"] < -0.5 for row in sure] or [0]))
    return figures


def _recovered(
    refocuser: VirtualRefocuser, first: npt.NDArray[Any], second: npt.NDArray[Any], register: bool
) -> VirtualImage:
    steps = refocuser.refocus(first, second, insist=True, register=register)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            image: VirtualImage = finished.value
            return image


def _cells(image: npt.NDArray[Any]) -> int:
    return count_cells(image, pixel_size_um=PIXEL_UM).count


def _write(name: str, figures: dict[str, Any]) -> None:
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[name] = figures
    RESULTS.write_text(json.dumps(known, indent=1) + "\n")
    print(name, {key: value for key, value in figures.items() if key != "rows"}, flush=True)


if __name__ == "__main__":
    main()
