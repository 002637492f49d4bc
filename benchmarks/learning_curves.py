"""How the error of each model fell while it was taught, from the histories that the models carry with them.

    python benchmarks/learning_curves.py [MODEL ...]

Models are names or files; all that ship unless given. Errors are those of single patches of slides held out from
training, as `training.json` in each package has them. Nothing is computed. Adds to
benchmarks/results/learning_curves.json, by name.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from napari_autofocus.models.library import find_model
from napari_autofocus.models.package import ModelCard, open_any_package
from single_shot_networks import fingerprint

RESULT = Path(__file__).parent / "results" / "learning_curves.json"
KEPT = ("samples", "dense_um", "sparse_um", "extremely-sparse_um", "median_um", "direction", "even_undecided")


def shipped() -> list[str]:
    """Names of the models that ship."""
    folder = Path(str(files("napari_autofocus.models"))) / "shipped"
    return sorted(path.stem for path in folder.glob("*.zip"))


def curve_of(path: Path) -> dict[str, Any] | None:
    """What a model's package tells of its training; None of a model that tells no defocus."""
    card = open_any_package(path).card
    if not isinstance(card, ModelCard):
        return None
    with zipfile.ZipFile(path) as package:
        history = json.loads(package.read("training.json"))["history"]["defocus"]
    return {
        "model_sha256": fingerprint(path),
        "kind": card.kind,
        "dof_um": card.dof_um,
        "seed": card.training.seed,
        "date": card.training.finished.isoformat(),
        "patches_seen": card.training.patches_seen,
        "minutes": round(card.training.minutes),
        "history": [{key: round(row[key], 5) for key in KEPT if row.get(key) is not None} for row in history],
    }


def main() -> None:
    """Add the curves to the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="names or files; all that ship unless given")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    known = json.loads(options.out.read_text())["models"] if options.out.is_file() else {}
    for name in options.models or shipped():
        path = find_model(name)
        curve = curve_of(path)
        if curve is None:
            print(f"{name} tells no defocus: left out.", file=sys.stderr)
            continue
        known[path.stem] = curve
        last = curve["history"][-1]
        print(f"{path.stem:<22}{last['samples']:>10.0f} patches   median error {last['median_um']:.3f} µm")
    result = {"command": f"python benchmarks/learning_curves.py {' '.join(sys.argv[1:])}".strip(), "models": known}
    options.out.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
