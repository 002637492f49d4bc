"""What it is worth to teach both stages together: the field's error reaches the importance stage; a head that weighs.

    python benchmarks/end_to_end.py [--model brightfield-20x] [--samples 1600] [--slides 192] [--fields 12] [--draws 2]

From the same start (--model), on the same slides and as many of them (--samples fields in one plane each, eight patches
of every field), with the same learning rate and seed:

stage by stage     each stage by its own labels, as before: what going on by itself gives.
end to end         the error of the field besides, through a soft choice of patches that count alike.
end to end, head   the same with patches weighed by importance over variance, and half of the fields with no more than
                   one to six patches of content left.

Measured on --fields unseen fields of each density, --draws frames each, whole, and (the first of dense and sparse ones)
with 8, 4, 2 and 1 patches of content left, the rest of the frame being empty slide. Each arm is read with each pooling;
nothing else differs from use. Errors are counted over all frames, answered or not; `refused` is judged with the start's
calibration.
`against` is the mean absolute error minus that of "stage by stage" with the median, frame by frame, with the 95 %
interval of a bootstrap over fields: an arm wins where all of it is below zero. Resumes where it was stopped. Writes
benchmarks/results/end_to_end.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import torch

from end_to_end_arms import ARMS, REFERENCE, Networks, learned_from, taught
from end_to_end_fields import FIELDS, LEFT, TRAINING_SEED, VALIDATION_SEED, Shot, name_of, shots_of
from napari_autofocus.focus.deciding.decision import decide
from napari_autofocus.focus.deciding.settings import DecisionSettings, Pooling
from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.models.evaluation import KnownFrame, result_of
from napari_autofocus.models.field.samples import ShownFields
from napari_autofocus.models.library import find_model
from napari_autofocus.models.metrics import FieldResult, accuracy
from napari_autofocus.models.package import ModelCard, ModelPackage, open_package
from napari_autofocus.models.seeing.frame import ModelFrame
from napari_autofocus.models.seeing.patches import PatchReader
from napari_autofocus.models.teaching import networks_of
from single_shot_fields import DENSITIES, Field
from single_shot_networks import fingerprint

RESULT = Path(__file__).parent / "results" / "end_to_end.json"
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
CASES = (*DENSITIES, *(f"{count} left" for count in reversed(LEFT)))


Rows = list[dict[str, Any]]


def answers(arm: str, networks: Networks, start: ModelPackage, options: argparse.Namespace) -> Rows:
    """The patches that an arm reads of every frame, with the frame's truth; kept on disk, a line a field."""
    shown = 0 if arm == "start" else options.samples
    path = options.work / "answers" / f"{arm}-{shown}-{options.draws}.jsonl"
    kept = {row[0]["field"]: row for row in _kept(path)}
    reader = PatchReader(start, networks)
    found: Rows = []
    for field in [Field("nominal", density, number) for density in DENSITIES for number in range(options.fields)]:
        name = name_of(field)
        if name not in kept:
            print(f"\r{arm}: {name} ", end="", file=sys.stderr, flush=True)
            shots = shots_of(field, options.draws, options.work / "frames")
            kept[name] = [_row(reader, shot) for shot in shots]
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(kept[name]) + "\n")
        found += kept[name]
    print(file=sys.stderr)
    return found


def _kept(path: Path) -> Iterator[Rows]:
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue  # cut short when the run was killed; that field is done again


def _row(reader: PatchReader, shot: Shot) -> dict[str, Any]:
    frame = ModelFrame.of(shot.image)
    patches = [astuple(patch) for patch in reader.look(frame, frame, reader.grid(frame), None) if patch.chosen]
    told = {name: getattr(shot, name) for name in ("case", "field", "source", "true_um")}
    return told | {"shape": frame.shape, "patches": patches}


def judged(row: dict[str, Any], decision: DecisionSettings, pixel_size_um: float) -> FieldResult:
    """What is made of a frame's patches."""
    patches = [PatchPrediction(*patch) for patch in row["patches"]]
    found = decide(patches, decision, field_shape=tuple(row["shape"]), pixel_size_um=pixel_size_um)
    return result_of(found, KnownFrame(_NO_IMAGE, row["true_um"], row["source"], row["field"]))


_NO_IMAGE = np.empty((0, 0))


def row_of(results: list[FieldResult], dof_um: float) -> dict[str, Any]:
    """Figures of some answers, all of them counted."""
    found = accuracy(results, dof_um)
    return {
        "frames": len(results),
        "mae_um": _short(found.mae_um),
        "p95_um": _short(found.p95_um),
        "direction": _short(found.direction_success),
        "refused": _short(sum(result.refused for result in results) / max(len(results), 1)),
        "unread": sum(result.estimate_um is None for result in results),
    }


def against(results: list[FieldResult], others: list[FieldResult]) -> dict[str, Any]:
    """Mean difference of the absolute errors of the same frames, µm, and its 95 % interval over fields."""
    base = {other.source: _error(other) for other in others}
    by_field: dict[str, list[float]] = {}
    for result in results:
        by_field.setdefault(result.slide, []).append(_error(result) - base[result.source])
    means = np.array([np.mean(each) for each in by_field.values()])
    rng = np.random.default_rng(0)
    drawn = means[rng.integers(means.size, size=(4000, means.size))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"mean_um": _short(means.mean()), "low_um": _short(low), "high_um": _short(high)}


def _error(result: FieldResult) -> float:
    """Of a frame of which nothing is read, all of its defocus."""
    return abs((result.estimate_um or 0.0) - result.true_um)


def _short(value: Any) -> float | None:
    return None if value is None else round(float(value), 4)


def table(found: dict[str, Rows], card: ModelCard) -> dict[str, Any]:
    """Arms by pooling by case."""
    pixel_um = card.optics.pixel_size_um

    def part(arm: str, pooling: Pooling, case: str) -> list[FieldResult]:
        decision = replace(card.decision, pooling=pooling)
        return [judged(row, decision, pixel_um) for row in found[arm] if row["case"] == case]

    base = {case: part(REFERENCE, "median", case) for case in CASES}
    return {
        f"{arm} / {pooling}": {
            case: row_of(results, card.dof_um) | {"against": against(results, base[case])}
            for case, results in ((case, part(arm, pooling, case)) for case in CASES)
        }
        for arm in found
        for pooling in POOLINGS
    }


def print_table(rows: dict[str, Any]) -> None:
    """Mean absolute errors, a star where an arm wins."""
    print(f"{'':<36}" + "".join(f"{case:>18}" for case in CASES))
    for name, cases in rows.items():
        cells = [f"{row['mae_um']:.4f}{'*' if row['against']['high_um'] < 0 else ' '}" for row in cases.values()]
        print(f"{name:<36}" + "".join(f"{cell:>18}" for cell in cells))


def main() -> None:
    """Simulate, teach and ask what is missing; print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="brightfield-20x", help="to begin with: name of a model, or a file")
    parser.add_argument("--samples", type=int, default=1600, help="fields shown to each arm")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate")
    parser.add_argument("--slides", type=int, default=192, help="fields to learn from, eight planes each")
    parser.add_argument("--fields", type=int, default=12, help="unseen fields of each density")
    parser.add_argument("--draws", type=int, default=2, help="frames a field")
    parser.add_argument("--processes", type=int, default=1, help="that simulate at the same time")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="that training runs on, as torch names it")
    parser.add_argument("--work", type=Path, default=Path("build/end_to_end"), help="where everything is kept")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    for folder in ("arms", "answers"):
        (options.work / folder).mkdir(parents=True, exist_ok=True)
    kept = options.work / "start.zip"
    if not kept.exists():
        shutil.copyfile(find_model(options.model), kept)
    start = open_package(kept)
    data = learned_from(options)
    defocus, importance = networks_of(start)
    found = {"start": answers("start", Networks(importance, defocus), start, options)}
    records = {}
    for name in ARMS:
        networks, records[name] = taught(name, start, data, options)
        found[name] = answers(name, networks, start, options)
        rows = table(found, start.card)
        write(rows, records, start, kept, options)
        print_table(rows)


def write(rows: dict[str, Any], records: dict[str, Any], start: ModelPackage, kept: Path, options: Any) -> None:
    """The result so far."""
    result = {
        "command": f"python benchmarks/end_to_end.py {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "model": start.card.name,
        "model_sha256": fingerprint(kept),
        "samples": options.samples,
        "patches_a_field": ShownFields().patches,
        "learning_rate": options.rate,
        "slides": options.slides,
        "fields": options.fields,
        "draws": options.draws,
        "seeds": {"training": TRAINING_SEED, "validation": VALIDATION_SEED, "planes": FIELDS.planes + 1},
        "dof_um": start.card.dof_um,
        "arms": records,
        "rows": rows,
    }
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
