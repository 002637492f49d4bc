"""kill -9 at random moments of labelling: is everything confirmed still there, is every file whole, does work go on?

Two annotators who say, paint, undo and redo as fast as they can, and Brenner, who measures the same stacks, share one
folder and are killed together. Each writes down what it was told to be safe, after the call has returned.

    python benchmarks/kills_labelling.py [--kills 50] [--seed 0]

writes ``results/kills_labelling.json``. POSIX only: the workers are forks of this process, which holds no file open.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.labelling.opinions import BRENNER, Opinion
from napari_autofocus.labelling.painting import Painting
from napari_autofocus.labelling.store import STORE_NAME
from napari_autofocus.workflows.labels.brenner import StackMeasured
from napari_autofocus.workflows.labels.desk import LabellingDesk
from napari_autofocus.workflows.labels.focus_book import BESIDE
from napari_autofocus.workflows.labels.focus_file import read_focus

RESULTS = Path(__file__).parent / "results" / "kills_labelling.json"
STACKS, PLANES, SIDE_PX = 6, 9, 64
LONGEST_S = 0.6  # from the first confirmation of everybody to the kill
ANNOTATORS = ("ann", "bob")


def make_stacks(folder: Path, seed: int) -> None:
    """Small stacks of blurred texture, sharpest in the middle."""
    rng = np.random.default_rng(seed)
    for number in range(STACKS):
        texture = rng.random((SIDE_PX, SIDE_PX), np.float32)
        planes = [cv2.GaussianBlur(texture, (0, 0), 0.6 + 0.7 * abs(z - PLANES // 2)) for z in range(PLANES)]
        data = (np.array(planes) * 255).astype(np.uint8)
        write_stack(folder / f"{number}.ome.tif", ZStack(data, np.arange(PLANES, dtype=float)))


def annotate(folder: Path, name: str, seed: int, confirm: Callable[[int], None]) -> None:
    """Say, paint, undo and redo without end."""
    rng = random.Random(seed)
    with LabellingDesk(folder, name) as desk:
        while True:
            path = rng.choice(desk.items).path
            act = rng.choices(("say", "patch", "paint", "undo", "redo", "refresh"), (8, 2, 2, 3, 2, 1))[0]
            if act == "say":
                confirm(desk.say(path, Opinion("sharp", rng.uniform(0, PLANES))).id)
            elif act == "patch":
                confirm(desk.say_patch(path, (0, 0, SIDE_PX), rng.uniform(0, PLANES)).id)
            elif act == "paint":
                cells = np.random.default_rng(rng.randrange(9999)).integers(0, 3, (8, 8))
                confirm(desk.paint(path, Painting((SIDE_PX, SIDE_PX), 8, cells)).id)
            elif act == "refresh":
                desk.refresh()
            elif change := (desk.undo() if act == "undo" else desk.redo()):
                confirm(change.entry.id)


def measure(folder: Path, confirm: Callable[[int], None]) -> None:
    """Run Brenner over all stacks, again and again: a stack that changed is measured anew."""
    with LabellingDesk(folder, "eve") as desk:
        while True:
            for step in desk.brenner():
                if isinstance(step, StackMeasured):
                    confirm(int(step.path.name.partition(".")[0]))
            for item in desk.items:
                os.utime(item.path)


def forked(log: Path, work: Callable[[Callable[[int], None]], None]) -> int:
    """Start a worker that appends what was confirmed to a file; its process id."""
    number = os.fork()
    if number:
        return number
    try:
        cv2.setNumThreads(1)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        work(lambda confirmed: os.write(handle, f"{confirmed}\n".encode()) and None)
    except AutofocusError as error:
        print(error, file=sys.stderr)
    finally:
        os._exit(1)  # nobody should end but by a kill


def confirmed_in(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().splitlines()] if log.exists() else []


def kill_once(folder: Path, logs: Path, rng: random.Random) -> None:
    """Let everybody work, and kill them at a random moment, in any order."""
    before = {name: len(confirmed_in(logs / name)) for name in ANNOTATORS}
    order = [forked(logs / BRENNER, partial(measure, folder))]
    order += [forked(logs / name, partial(annotate, folder, name, rng.randrange(2**30))) for name in ANNOTATORS]
    try:
        give_up = time.monotonic() + 120
        while any(len(confirmed_in(logs / name)) == before[name] for name in ANNOTATORS):
            assert time.monotonic() < give_up, "a worker confirms nothing"
            time.sleep(0.01)
        time.sleep(rng.uniform(0, LONGEST_S))
    finally:
        rng.shuffle(order)
        for number in order:
            os.kill(number, signal.SIGKILL)
        ends = [os.waitpid(number, 0)[1] for number in order]
    assert all(os.WTERMSIG(status) == signal.SIGKILL for status in ends), "a worker ended by itself"


def check(folder: Path, logs: Path, seen: dict[int, object], tally: Counter[str]) -> None:
    """Count what is missing, changed or broken after a kill."""
    tally["kills in a commit"] += bool((folder / f"{STORE_NAME}-journal").stat().st_size)
    with LabellingDesk(folder, "eve") as desk:  # it opens, and goes on
        said = desk.say("0.ome.tif", Opinion("skip"))
        history = {entry.id: entry for entry in desk.history()}
        measured = {entry.stack for entry in history.values() if entry.annotator == BRENNER}
        tally["broken work lists"] += any(item.failed for item in desk.items) or len(desk.items) != STACKS
    for name in ANNOTATORS:
        for number in confirmed_in(logs / name):
            tally["lost"] += number not in history or history[number].annotator != name
    tally["lost"] += sum(f"{number}.ome.tif" not in measured for number in confirmed_in(logs / BRENNER))
    tally["changed"] += sum(history.get(number) != entry for number, entry in seen.items())
    tally["gaps"] += list(history) != list(range(1, said.id + 1))
    tally["half-written"] += sum(read_focus(file) is None for file in (folder / BESIDE).glob("*.npz"))
    with sqlite3.connect(folder / STORE_NAME) as connection:
        tally["damaged"] += connection.execute("PRAGMA integrity_check").fetchone() != ("ok",)
    connection.close()
    seen.update(history)


def campaign(kills: int, seed: int, work: Path) -> dict[str, object]:
    """Kill so many times; what came of it."""
    folder, logs = work / "stacks", work / "logs"
    folder.mkdir()
    logs.mkdir()
    make_stacks(folder, seed)
    rng, tally, seen = random.Random(seed), Counter[str](), {}
    began = time.monotonic()
    for _ in range(kills):
        kill_once(folder, logs, rng)
        check(folder, logs, seen, tally)
    faults = ("lost", "changed", "gaps", "half-written", "damaged", "broken work lists")
    return {
        "kills": kills,
        "processes_at_each": len(ANNOTATORS) + 1,
        "confirmed": {name: len(confirmed_in(logs / name)) for name in (*ANNOTATORS, BRENNER)},
        "kills_in_a_commit": tally["kills in a commit"],
        **{name.replace(" ", "_"): tally[name] for name in faults},
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(wanted.kills, wanted.seed, Path(folder))
    wanted.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    faults = ("lost", "changed", "gaps", "half-written", "damaged", "broken_work_lists")
    return 1 if any(found[name] for name in faults) else 0


if __name__ == "__main__":
    sys.exit(main())
