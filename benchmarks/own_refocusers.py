"""What a few minutes of teaching on one's own stacks are worth to virtual refocusing: ``tsva-20x`` before and after.

    python benchmarks/own_refocusers.py --minutes 4 --work build/own-refocusers

Simulated stacks of kinds that ``tsva-20x`` was not taught on (IHC, fluorescence, another objective), and the real
stacks that tests read (``NAPARI_AUTOFOCUS_REAL_DATA``, ``../shared/data``): these are cut into fields, some of which
are learned from and the others measured on, so that content, light and camera are the same and only the place differs.
Every model is measured on the fields that were held out, against each one's own plane in focus, by the recipe of the
command ``train``. Stacks, and models that are there already, are not made again.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import AutofocusError
from napari_autofocus.io import open_stack, write_stack
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.own.settings import OwnSettings
from napari_autofocus.workflows.own_models import OwnRefocuser, train_own
from napari_autofocus.workflows.simulate import simulate_stacks
from napari_autofocus.workflows.simulation_settings import SimulationSettings

RESULTS = Path(__file__).parent / "results" / "own_refocusers.json"
REAL = Path(os.environ.get("NAPARI_AUTOFOCUS_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
SEED = 41


@dataclass(frozen=True)
class Simulated:
    """Stacks of a kind of slide, 8 fields of 512 x 512 px."""

    stain: str
    objective: str
    range_um: float
    step_um: float

    def make(self, folder: Path) -> None:
        """Write them."""
        settings = SimulationSettings(
            stain=self.stain,
            density="dense",
            objective=Objective.parse(self.objective),
            fields=8,
            range_um=self.range_um,
            step_um=self.step_um,
            shape=(512, 512),
            seed=SEED,
        )
        _end(simulate_stacks(settings, folder))


@dataclass(frozen=True)
class Real:
    """A real stack, cut into fields; ``lens`` is a guess where nobody says it, and settles which planes are shots."""

    place: str
    lens: str
    pixel_um: float
    field: tuple[int, int]
    step_um: float | None = None

    def make(self, folder: Path) -> None:
        """Write the fields."""
        stack = open_stack(REAL / self.place, step_um=self.step_um)
        planes = np.stack([np.asarray(stack.plane(index)) for index in range(len(stack))])
        height, width = self.field
        folder.mkdir(parents=True)
        for y in range(0, planes.shape[1] - height + 1, height):
            for x in range(0, planes.shape[2] - width + 1, width):
                part = np.ascontiguousarray(planes[:, y : y + height, x : x + width])
                facts: dict[str, Any] = {"objective": Objective.parse(self.lens), "pixel_size_um": self.pixel_um}
                write_stack(folder / f"y{y:04d}-x{x:04d}.ome.tif", replace(stack, data=part, **facts))


KINDS: dict[str, Simulated | Real] = {
    "ihc 20x/0.75": Simulated("ihc", "20x/0.75", 5, 0.5),
    "he 10x/0.3": Simulated("he", "10x/0.3", 50, 5),
    "fluorescence 20x/0.75": Simulated("fluorescence", "20x/0.75", 5, 0.5),
    "wafer, reflected light": Real("wafer_reflected_light/level1/ix000_iy000", "10x/0.3", 0.286, (600, 480)),
    "beads, confocal": Real("beads/Bead_Image1_crop.tif", "60x/1.2 water", 0.1, (75, 75), step_um=0.125),
    "mitochondria, light sheet": Real("mitochondria_lightsheet/stack", "60x/1.2 water", 0.1, (256, 200)),
}


def main() -> None:
    """Teach and measure every kind, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=4.0, help="of teaching, each")
    parser.add_argument("--work", type=Path, default=Path("build/own-refocusers"))
    parser.add_argument("--only", nargs="*", default=list(KINDS), help="kinds, by their names")
    parser.add_argument("--anew", action="store_true", help="teach new networks too, without tsva-20x to begin with")
    chosen = parser.parse_args()
    for name in chosen.only:
        folder = chosen.work / name.replace("/", "-").replace(" ", "-").replace(",", "")
        if not folder.exists():
            KINDS[name].make(folder)
        for base in ("tsva-20x", None) if chosen.anew else ("tsva-20x",):
            how = base or "anew"
            print(f"{name}, {how}", flush=True)
            target = chosen.work / f"{folder.name}-{how}.zip"
            _keep(name, how, figures(folder, target, base, chosen.minutes), chosen.minutes)


def figures(folder: Path, target: Path, base: str | None, minutes: float) -> dict[str, Any]:
    """Teach a model of these stacks and tell what it gains."""
    settings = OwnSettings(minutes=minutes, base=base, kind="virtual")
    try:
        made: OwnRefocuser = _end(train_own(folder, target, settings))
    except AutofocusError as error:
        return {"refused": str(error)}
    told, card = made.held_out.figures(), made.package.card
    return {
        "stacks": made.split.to_json(),
        "samples": card.training.patches_seen,
        "minutes": round(card.training.minutes, 2),
        "half_um": list(card.half_um),
        **{key: _rounded(told[key]) for key in ("pairs", "sharper_db", "recovered_db", "gain_db", "worst_gain_db")},
        "doubtful": _rounded(told["doubtful"]),
        "before": {key: _rounded(told["base"][key]) for key in ("recovered_db", "gain_db")} if base else None,
        "by_half_um": {
            half: [row["pairs"], _rounded(row["sharper_db"]), _rounded(row["recovered_db"])]
            for half, row in told["by_half_um"].items()
        },
    }


def _rounded(value: float) -> float:
    return round(value, 2)


def _keep(name: str, base: str, found: dict[str, Any], minutes: float) -> None:
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"kinds": {}}
    kept["command"] = f"python benchmarks/own_refocusers.py --minutes {minutes:g}"
    kept["date"] = f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}"
    kept["seed"] = SEED
    kept["kinds"].setdefault(name, {})[base] = found
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(found), flush=True)


def _end(work: Iterator[Any]) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


if __name__ == "__main__":
    main()
