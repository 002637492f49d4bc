"""How far off one frame's defocus is, on simulated slides that no training has seen.

    python benchmarks/single_shot.py [--model brightfield-20x] [--fields 300] [--draws 20] [--other-fields 96]
                                     [--baseline-fields 60] [--only nominal,empty] [--workers 2]

Any model of one shot is measured, on slides that fit its card: its optics, stains, colour and range. Grey models get a
16-bit camera, and exposures drawn down to 2 % (fluorescence, beads) or 30 % (unstained) of the usual one.

nominal      the optics of the card: --fields of each density, all stains in turn, 1224 x 1024 px, --draws random
             defocus values within the model's range each. Truth: the optics' own (the field's median over its content).
no importance  the same network on the first --baseline-fields of these: mean and median over all patches of the
             frame (touching, not overlapping), and the whole image resized to one patch.
off-nominal  --other-fields of each density: NA ± 3 %, cover glass ± 5 µm (W040 = t·(n² − 1)/(8·n³)·NA⁴; ± 0.136 waves
             around the usual 0.25 at NA 0.75), chromatic shift ± 20 % of each colour, camera gain 0.8 to 1.15, each
             drawn evenly. Optics are drawn 24 times and dealt to the fields; the model is told the nominal ones.
empty        --fields without content, a quarter of the draws each.
even         --other-fields in all, through optics that look the same on both sides of focus, of an NA and pixel size
             that training does not use (0.8 and 0.93 times the NA, 1.14 and 1.23 times the pixel): the right answer
             is `unsure` only. Left out for phase objects, which such optics do not show.

Accuracy is counted over the frames with an answer, refusals (no content, unsure, out of range) apart; `MAE all` counts
what refused frames would have been as well. `empty?` is the share refused for want of content; `uneven` frames get a
range to scan, and their number counts as an answer. Resumes where it was stopped: answers are kept in the --work
folder, by the hash of the model. Writes benchmarks/results/single_shot.json, for another model single_shot_NAME.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_autofocus.models.metrics import FieldResult, accuracy, by_defocus, grouped, summary
from single_shot_fields import describe, fields_of
from single_shot_networks import BASELINES, fingerprint, package_of
from single_shot_run import Plan, baselines_of, records_of, results_of
from single_shot_subjects import CASES, DENSITIES, subject_of, targets_of

RESULTS = Path(__file__).parent / "results"
CLAIMED = 0.95
"""Probability from which a direction counts as claimed."""
Records = list[dict[str, Any]]


def case_rows(case: str, records: Records, dof_um: float, range_um: float) -> dict[str, Any]:
    """The rows of one case in the result: one for each density, of an even case one for all."""
    if case == "even":
        return {"even": even_row(results_of(records), dof_um)}
    rows = {}
    for density in [name for name in (*DENSITIES, "empty") if any(r["density"] == name for r in records)]:
        of_density = [record for record in records if record["density"] == density]
        rows[f"{case} {density}" if case != density else case] = row_of(results_of(of_density), dof_um, range_um)
    return rows


def row_of(results: list[FieldResult], dof_um: float, range_um: float) -> dict[str, Any]:
    """All figures of one row."""
    return {
        **summary(results, dof_um),
        "all_answered_or_not": asdict(accuracy(results, dof_um)),
        "by_stain": grouped(results, dof_um, lambda result: result.stain),
        "by_defocus": by_defocus(results, dof_um, range_um),
    }


def even_row(results: list[FieldResult], dof_um: float) -> dict[str, Any]:
    """What is said of even optics, of frames beyond half a depth of field: the share with the verdict ``unsure``, and
    the share whose direction is not claimed, which frames taken for nearly in focus do not need either.
    """
    beyond = [result for result in results if abs(result.true_um) > dof_um / 2]
    number = max(len(beyond), 1)
    return {
        **summary(results, dof_um),
        "beyond_half_dof": len(beyond),
        "unsure": sum(result.verdict == "unsure" for result in beyond) / number,
        "no_direction_claimed": sum(result.direction_probability < CLAIMED for result in beyond) / number,
    }


def baseline_rows(records: Records, dof_um: float) -> dict[str, Any]:
    """The same network without importance, and with it, on the same frames."""
    rows = {}
    for density in DENSITIES:
        compared = [record for record in records if record["density"] == density and record["baselines"]]
        if compared:
            rows[f"with importance, {density}"] = summary(results_of(compared), dof_um)
            for name in BASELINES:
                rows[f"{name}, {density}"] = summary(baselines_of(compared, name), dof_um)
    return rows


def judged(rows: dict[str, Any], model: str) -> list[dict[str, Any]]:
    """Each target with what was found, for the rows there are."""
    found = [
        {"row": row, "figure": figure, "wanted": f"{sign} {value:g}", "found": _dig(rows[row], figure)}
        for row, figure, sign, value in targets_of(model)
        if row in rows
    ]
    for target in found:
        sign, value = target["wanted"].split()
        number = target["found"]
        reached = number is not None and (number <= float(value) if sign == "<=" else number >= float(value))
        target["reached"] = bool(reached)
    return found


def _dig(row: dict[str, Any], figure: str) -> Any:
    for key in figure.split("."):
        row = row[key]
    return row


COLUMNS = (
    ("frames", "fields"),
    ("MAE µm", "mae_um"),
    ("sd µm", "sd_um"),
    ("MAE all", "all_answered_or_not.mae_um"),
    ("DOF/2", "within_half_dof"),
    ("DOF", "within_dof"),
    ("direction", "direction_success"),
    ("90 %", "interval90_coverage"),
    ("refused", "refused.all"),
    ("empty?", "refused.no_content"),
    ("unsure", "refused.unsure"),
    ("uneven", "uneven"),
)


def print_table(rows: dict[str, Any]) -> None:
    """One line a row."""
    print(f"{'':<42}" + "".join(f"{heading:>10}" for heading, _ in COLUMNS))
    for name, row in rows.items():
        print(f"{name:<42}" + "".join(f"{_cell(row, figure):>10}" for _, figure in COLUMNS))


def _cell(row: dict[str, Any], figure: str) -> str:
    if figure.startswith("all_") and "all_answered_or_not" not in row:
        return ""
    value = _dig(row, figure)
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    return f"{value:.3f}" if figure.endswith("_um") else f"{100 * value:.2f} %"


def main() -> None:
    """Run what is missing, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="brightfield-20x", help="name of a shipped model, or a file")
    parser.add_argument("--fields", type=int, default=300, help="nominal fields of each density, and empty ones")
    parser.add_argument("--draws", type=int, default=20, help="frames a field")
    parser.add_argument("--other-fields", type=int, default=96, help="off-nominal fields of each density; even ones")
    parser.add_argument("--baseline-fields", type=int, default=60, help="fields of each density without importance")
    parser.add_argument("--only", default=",".join(CASES), help="cases, separated by commas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path(".tmp/single_shot"), help="where single answers are kept")
    parser.add_argument("--out", type=Path, help="results/single_shot.json, or single_shot_NAME.json, unless given")
    options = parser.parse_args()
    package = package_of(options.model)
    subject, card = subject_of(package.card), package.card
    plan = Plan(options.model, options.draws, options.baseline_fields)
    counts = dict.fromkeys(CASES, options.fields) | dict.fromkeys(("off-nominal", "even"), options.other_fields)
    rows: dict[str, Any] = {}
    baselines: dict[str, Any] = {}
    spent: dict[str, float] = {}
    for case in [name for name in subject.cases if name in options.only.split(",")]:
        print(f"{case}:", file=sys.stderr)
        records = records_of(fields_of(case, counts[case], subject), plan, options.work, options.workers)
        rows |= case_rows(case, records, card.dof_um, card.range_um)
        spent[case] = round(sum(record["seconds"] for record in records))
        if case == "nominal":
            baselines = baseline_rows(records, card.dof_um)
    print_table(rows | baselines)
    targets = judged(rows, card.name)
    for target in targets:
        verdict = "reached" if target["reached"] else "MISSED"
        found = "none" if target["found"] is None else f"{target['found']:.4f}"
        print(f"{verdict:<8} {target['row']:<26} {target['figure']:<22} {target['wanted']:<9} found {found}")
    result = {
        "command": f"python benchmarks/single_shot.py {' '.join(sys.argv[1:])}".strip(),
        "model": card.name,
        "model_sha256": fingerprint(package.path),
        "dof_um": card.dof_um,
        "fields": options.fields,
        "other_fields": options.other_fields,
        "draws": options.draws,
        "baseline_fields": options.baseline_fields,
        **describe(subject),
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "seconds_of_one_process": spent,
        "rows": rows,
        "without_importance": baselines,
        "targets": targets,
    }
    keep(result, options.out or result_file(card.name))


def result_file(name: str) -> Path:
    """Where the result of a model lies: the first one's without its name, as it was before there were others."""
    return RESULTS / ("single_shot.json" if name == "brightfield-20x" else f"single_shot_{name}.json")


def keep(result: dict[str, Any], path: Path) -> None:
    """Write the result, together with the rows of other cases that an earlier run of the same model left there."""
    earlier = json.loads(path.read_text()) if path.is_file() else {}
    if earlier.get("model_sha256") == result["model_sha256"] and earlier.get("draws") == result["draws"]:
        for part in ("rows", "without_importance", "seconds_of_one_process"):
            result[part] = earlier[part] | result[part]
        result["targets"] = judged(result["rows"], result["model"])
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
