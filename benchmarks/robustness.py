"""What breaks a model of one shot, and at which strength, on simulated slides that no training has seen.

    python benchmarks/robustness.py [--model brightfield-20x --model OTHER.zip] [--fields 12] [--draws 8]
                                    [--only jpeg,motion-um]

--fields of each density (dense, sparse, extremely sparse), stains in turn, 1224 x 1024 px, --draws random defocus
values within the model's range each: half as many of the cases that have to be rendered anew (beyond, dye-amount,
dye-hue-deg, stain, tilt), four times as many of the clean frame, JPEG 75 and a motion of 1 µm, which have targets. Each
is asked about clean and with one thing wrong at a time; what the strengths mean is in the result under `meaning`. The
model is told its own optics throughout: nobody knows what is wrong.

MAE and the shares are of the frames with an answer. `over clean` is the mean error over that of the same frames without
the disturbance, of frames answered both times. `wrong` is what a microscopist fears: the share of all frames with a
trusted verdict (flat, tilted) on the wrong side of focus by more than half a depth of field, or off by more than one;
`worst` the largest error under such a verdict. `astray` is the share of all frames called out of range towards the
wrong side. Resumes where it was stopped (--work). Adds to benchmarks/results/robustness.json, by name and hash of the
model, so that two trainings of one name stand side by side.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_autofocus.models.metrics import FieldResult, summary
from robustness_fields import CASES, CLEAN, DENSITIES, RENDERED, asks, describe
from robustness_run import MORE_DRAWS, Answers, Asked, answers_of, fields_of, results_at

RESULT = Path(__file__).parent / "results" / "robustness.json"
TRUSTED = ("flat", "tilted")
TARGETS = (("jpeg=75", "over_clean", 1.3), ("motion-um=1", "over_clean", 1.3))
_KEPT = ("fields", "answered", "mae_um", "within_half_dof", "direction_success", "interval90_coverage")


def row_of(results: Sequence[FieldResult], clean: Sequence[FieldResult] | None, dof_um: float) -> dict[str, Any]:
    """All figures of one case at one strength; ``clean`` are the same frames undisturbed, where there are any."""
    figures, number = summary(results, dof_um), max(len(results), 1)
    trusted = [result for result in results if result.verdict in TRUSTED and result.error_um is not None]
    errors = [abs(result.error_um or 0.0) for result in trusted]
    return {
        **{key: figures[key] for key in _KEPT},
        "over_clean": over_clean(results, clean) if clean else None,
        "refused": figures["refused"],
        "confident": len(trusted),
        "confident_wrong": sum(is_wrong(result, dof_um) for result in trusted) / number,
        "worst_confident_um": max(errors, default=None),
        "out_of_range_wrong_side": sum(_astray(result) for result in results) / number,
    }


def is_wrong(result: FieldResult, dof_um: float) -> bool:
    """Whether a move by that answer makes things worse, or leaves the field out of focus."""
    estimate = result.estimate_um or 0.0
    wrong_side = abs(result.true_um) > dof_um / 2 and estimate * result.true_um < 0
    return wrong_side or abs(estimate - result.true_um) > dof_um


def _astray(result: FieldResult) -> bool:
    return result.verdict == "out_of_range" and (result.estimate_um or 0.0) * result.true_um < 0


def over_clean(results: Sequence[FieldResult], clean: Sequence[FieldResult]) -> float | None:
    """Mean error over that of the same frames without the disturbance, of frames answered both times."""
    both = [
        (abs(after.error_um or 0.0), abs(before.error_um or 0.0))
        for after, before in zip(results, clean, strict=True)
        if not after.refused and not before.refused
    ]
    before = sum(error for _, error in both)
    return sum(error for error, _ in both) / before if before else None


def rows_of(answers: Answers, names: Sequence[str], dof_um: float) -> dict[str, Any]:
    """The row of every case and strength, and within each the densities."""
    rows = {}
    for name in names:
        of = {density: _short(_row(answers, name, [density], dof_um)) for density in DENSITIES}
        rows[name] = {**_row(answers, name, DENSITIES, dof_um), "by_density": of}
    return rows


def _row(answers: Answers, name: str, densities: Sequence[str], dof_um: float) -> dict[str, Any]:
    same_frames = name != CLEAN and name.split("=")[0] not in RENDERED
    clean = results_at(answers, CLEAN, densities, beside=name) if same_frames else None
    return row_of(results_at(answers, name, densities), clean, dof_um)


def _short(row: dict[str, Any]) -> dict[str, Any]:
    keys = ("mae_um", "over_clean", "direction_success", "confident_wrong")
    return {**{key: row[key] for key in keys}, "refused": row["refused"]["all"]}


def rounded(value: Any) -> Any:
    """Figures to four places: more than so few frames tell."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


COLUMNS = (
    ("frames", "fields", "{}"),
    ("MAE µm", "mae_um", "{:.3f}"),
    ("over clean", "over_clean", "{:.2f}"),
    ("DOF/2", "within_half_dof", "{:.1%}"),
    ("direction", "direction_success", "{:.1%}"),
    ("90 %", "interval90_coverage", "{:.1%}"),
    ("wrong", "confident_wrong", "{:.1%}"),
    ("worst µm", "worst_confident_um", "{:.2f}"),
    ("astray", "out_of_range_wrong_side", "{:.1%}"),
)


def print_table(title: str, rows: dict[str, Any]) -> None:
    """One line for each case and strength."""
    print(f"{title:<28}" + "".join(f"{heading:>11}" for heading, _, _ in COLUMNS) + f"{'refused':>11}")
    for name, row in rows.items():
        cells = "".join(f"{'' if row[key] is None else form.format(row[key]):>11}" for _, key, form in COLUMNS)
        print(f"{name:<28}{cells}{row['refused']['all']:>11.1%}")


def judged(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Each target with what was found, for the rows there are."""
    return [
        {
            "row": row,
            "figure": figure,
            "wanted": f"<= {most:g}",
            "found": rows[row][figure],
            "reached": rows[row][figure] is not None and rows[row][figure] <= most,
        }
        for row, figure, most in TARGETS
        if row in rows
    ]


def main() -> None:
    """Ask what is missing, print the tables, add to the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="name of a shipped model, or a file; more than once if wanted")
    parser.add_argument("--fields", type=int, default=12, help="of each density")
    parser.add_argument("--draws", type=int, default=8, help="frames a field")
    parser.add_argument("--only", default=",".join(CASES), help="cases, separated by commas")
    parser.add_argument("--work", type=Path, default=Path(".tmp/robustness"), help="where single answers are kept")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    for model in options.model or ["brightfield-20x"]:
        asked = Asked.of(model, options.work)
        card = asked.predictor.card
        wanted = asks([case for case in CASES if case in options.only.split(",")], card)
        answers = answers_of(asked, fields_of(options.fields), wanted, options.draws)
        rows = rounded(rows_of(answers, [str(ask) for ask in wanted], card.dof_um))
        print_table(f"{card.name} {asked.fingerprint[:8]}", rows)
        seen = card.training.patches_seen
        entry = {
            "model": card.name,
            "model_sha256": asked.fingerprint,
            "patches_seen": seen,
            "dof_um": card.dof_um,
            **describe(card),
            "fields": options.fields,
            "draws": options.draws,
            "draws_of_targets": options.draws * MORE_DRAWS,
            "command": command_of(model, options),
            "date": datetime.date.today().isoformat(),
            "rows": rows,
        }
        keep(entry, options.out)


def command_of(model: str, options: argparse.Namespace) -> str:
    """What to type for one model again, wherever its file lies."""
    only = "" if options.only == ",".join(CASES) else f" --only {options.only}"
    name = Path(model).name
    return f"python benchmarks/robustness.py --model {name} --fields {options.fields} --draws {options.draws}{only}"


def keep(entry: dict[str, Any], path: Path) -> None:
    """Add one model to the result, beside others and beside its own cases of an earlier run of the same size."""
    result = json.loads(path.read_text()) if path.is_file() else {"models": {}}
    key = f"{entry['model']} {entry['model_sha256'][:8]}"
    earlier = result["models"].get(key, {})
    if all(earlier.get(size) == entry[size] for size in ("fields", "draws")):
        entry["rows"] = earlier["rows"] | entry["rows"]
    entry["targets"] = judged(entry["rows"])
    for target in entry["targets"]:
        print(
            "reached" if target["reached"] else "MISSED",
            target["row"],
            target["figure"],
            target["wanted"],
            target["found"],
        )
    result["command"] = entry["command"]
    result["models"][key] = entry
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
