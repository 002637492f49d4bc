"""Labelling while the disk fills up, a stack is damaged, or Brenner is stopped: everything confirmed stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fault_trial import Notes
from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.labelling.opinions import BRENNER, Opinion
from napari_autofocus.workflows.labels.brenner import StackMeasured
from napari_autofocus.workflows.labels.desk import LabellingDesk

STACKS, PLANES, SIDE_PX = 4, 7, 48


def make_stacks(folder: Path, stacks: int = STACKS, side_px: int = SIDE_PX, **facts: Any) -> list[Path]:
    """Write stacks of blurred texture, sharpest in the middle."""
    rng, paths = np.random.default_rng(1), []
    for number in range(stacks):
        texture = rng.random((side_px, side_px), np.float32)
        planes = [cv2.GaussianBlur(texture, (0, 0), 0.6 + 0.7 * abs(z - PLANES // 2)) for z in range(PLANES)]
        paths.append(folder / f"{number}.ome.tif")
        data = (np.array(planes) * 255).astype(np.uint8)
        write_stack(paths[-1], ZStack(data, np.arange(PLANES, dtype=float), **facts))
    return paths


def _check_kept(folder: Path, confirmed: list[int], notes: Notes) -> None:
    """Opened afresh: what was confirmed is there, and more can be said."""
    with LabellingDesk(folder, "eve") as desk:
        known = {entry.id for entry in desk.history()}
        lost = [number for number in confirmed if number not in known]
        notes.require(not lost, f"{len(lost)} confirmed labels are lost")
        notes.require(desk.say(desk.items[0].path, Opinion("skip")).id > 0, "no more can be said")


def disk_full(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """SQLite finds no room for another page, as on a full disk; later there is room again."""
    paths, confirmed = make_stacks(folder), list[int]()
    with LabellingDesk(folder, "ann") as desk:
        notes.at = int(rng.integers(1, 25))
        for number in range(120):
            if number == notes.at:
                pages = desk.store._connection.execute("PRAGMA page_count").fetchone()[0]
                desk.store._connection.execute(f"PRAGMA max_page_count = {pages + int(rng.integers(0, 3))}")
            with notes.refusing("disk full"):
                said = desk.say(paths[int(rng.integers(STACKS))], Opinion("sharp", float(rng.uniform(0, PLANES))))
                confirmed.append(said.id)
            if notes.struck and rng.random() < 0.2:
                break
        known = {entry.id for entry in desk.history()}
        notes.require(set(confirmed) <= known, "the desk has forgotten what it confirmed")
    notes.end("done")
    _check_kept(folder, confirmed, notes)


def stopped(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """Brenner is stopped after a random step; what was told as measured stays."""
    make_stacks(folder)
    measured: list[str] = []
    with LabellingDesk(folder, "ann") as desk:
        steps = desk.brenner()
        notes.at = int(rng.integers(1, 2 * STACKS))
        for count, step in enumerate(steps, 1):
            if isinstance(step, StackMeasured):
                measured.append(step.path.name)
            if count == notes.at:
                notes.struck = True
                break
        steps.close()
    notes.end("cancelled" if notes.struck else "done", "Stopped between two steps.")
    with LabellingDesk(folder, "ann") as desk:
        known = {entry.stack for entry in desk.history() if entry.annotator == BRENNER}
        notes.require(set(measured) <= known, f"{set(measured) - known} were told as measured and are lost")
        again = [step.path.name for step in desk.brenner() if isinstance(step, StackMeasured)]
        notes.require(not set(again) & set(measured), "what was measured is measured again")
        notes.require(len(set(again) | set(measured)) == STACKS, "not every stack is measured in the end")


def stack_damaged(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """A stack is cut short, emptied or removed while others are labelled and measured."""
    paths, confirmed = make_stacks(folder), list[int]()
    with LabellingDesk(folder, "ann") as desk:
        confirmed.append(desk.say(paths[0], Opinion("sharp", 3.0)).id)
        notes.at = int(rng.integers(STACKS))
        victim = paths[notes.at]
        content, notes.struck = victim.read_bytes(), True
        how = int(rng.integers(3))
        if how == 0:
            victim.unlink()
        else:
            victim.write_bytes(content[: 0 if how == 1 else int(rng.integers(1, len(content)))])
        failed = 0
        try:
            for step in desk.brenner():
                failed += bool(getattr(step, "reason", ""))
        except InputError as error:
            notes.end("refused", str(error))
        for path in paths:
            with notes.refusing():
                confirmed.append(desk.say(path, Opinion("sharp", 2.0)).id)
        told = [item for item in desk.items if item.failed]
        notes.end(f"{'told' if failed or told else 'done'}", f"{failed} stacks failed, told one by one.")
    victim.write_bytes(content)
    _check_kept(folder, confirmed, notes)


TRIALS = {
    "disk full": disk_full,
    "stopped": stopped,
    "stack damaged": stack_damaged,
}
