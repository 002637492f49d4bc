"""kill -9 at random moments of acquiring: is every finished stack whole, is nothing half-written, does a run go on?

A simulated microscope takes stacks of a small slide into a folder and is killed; each plane's checksum is written down
before the plane is. After each kill every stack that is found must open and equal what was taken, what was entered as
finished must still be there, and the next run goes on in the same folder until it is full; then another is begun.

    python benchmarks/kills_acquiring.py [--kills 50] [--seed 0]

writes ``results/kills_acquiring.json``. POSIX only: the workers are forks of this process, which holds no file open.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io import find_stacks, open_stack
from napari_autofocus.io.zarr_writing import ZarrStackWriter
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.routines.acquire_config import AcquireConfig
from napari_autofocus.workflows.acquire.book import AcquisitionBook
from napari_autofocus.workflows.acquire.plan import AcquisitionPlan
from napari_autofocus.workflows.acquisition import acquire_stacks

RESULTS = Path(__file__).parent / "results" / "kills_acquiring.json"
SHAPE = (64, 80)
MOST_FRAMES = 120  # of a run before the kill: three or four fields
LONGEST_S = 0.05  # from that frame to the kill
PATIENCE_S = 300.0
PLAN = AcquisitionPlan(
    tuple((200.0 * number, 0.0) for number in range(8)),
    config=AcquireConfig(range_um=2.0, step_um=0.5, patch_px=32),
    objective=Objective.parse("20x/0.75"),
    find_range_um=5.0,
)


class TextureSlide:
    """Another texture at each place, that blurs with defocus; every fourth place is glass."""

    pixel_size_um = 0.325
    shape = SHAPE

    def best_focus_um(self, x_um: float, _y_um: float) -> float:
        return 1.0 + x_um / 2000

    def snap(self, x_um: float, y_um: float, axial_um: float, *, rng: np.random.Generator, **_: object) -> np.ndarray:
        texture = np.random.default_rng(abs(round(x_um))).random((*SHAPE, 3), dtype=np.float32)
        contrast = 0.0 if round(x_um / 200) % 4 == 3 else 200.0
        blurred = cv2.GaussianBlur(texture, (0, 0), 0.4 + 0.5 * min(abs(axial_um - self.best_focus_um(x_um, y_um)), 40))
        noisy = 20 + contrast * blurred + rng.normal(size=blurred.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)


def checksum(image: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:24]


def acquire_noting(folder: Path, log: Path, seed: int) -> None:
    """Take what the folder lacks; every plane's checksum is noted before it is written, every field once entered."""
    cv2.setNumThreads(1)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    add = ZarrStackWriter.add

    def noting(writer: ZarrStackWriter, plane: int, frame: Frame) -> None:
        os.write(handle, f"plane {writer._target.name} {plane} {checksum(frame.image)}\n".encode())
        add(writer, plane, frame)

    ZarrStackWriter.add = noting  # type: ignore[method-assign]
    with simulated_rig(TextureSlide(), clock=VirtualClock(), seed=seed) as rig:
        for step in acquire_stacks(rig.microscope, PLAN, folder):
            if step.result is not None:
                os.write(handle, f"entered {step.result.number} {step.result.state}\n".encode())
            elif step.phase == "find":
                os.write(handle, b"begun\n")


def forked(work: Callable[[], None]) -> int:
    """Start a worker; its process id. It ends with 0 only if the work is done."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def noted(log: Path) -> list[list[str]]:
    """Lines that were written whole."""
    text = log.read_text() if log.exists() else ""
    return [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]


def kill_once(folder: Path, log: Path, rng: random.Random) -> bool:
    """Let a run take so many frames and kill it, half of the times as a stack ends; whether it was done before."""
    before, seed = len(noted(log)), rng.randrange(2**30)
    frames, at_end = rng.randrange(1, MOST_FRAMES), rng.random() < 0.5
    worker = forked(lambda: acquire_noting(folder, log, seed))
    give_up = time.monotonic() + PATIENCE_S
    while not _is_time(noted(log)[before:], frames, at_end):
        if os.waitpid(worker, os.WNOHANG)[0]:
            return True
        assert time.monotonic() < give_up, "a run does nothing"
        time.sleep(0.002)
    time.sleep(rng.uniform(0, LONGEST_S))
    os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    return os.waitstatus_to_exitcode(status) == 0


def _is_time(lines: list[list[str]], frames: int, at_end: bool) -> bool:
    """Whether so many frames were taken, and the last plane of a stack is the newest where that is waited for."""
    last = str(PLAN.config.planes - 1)
    return len(lines) >= frames and (not at_end or (lines[-1][0] == "plane" and lines[-1][2] == last))


def check(folder: Path, log: Path, report: Path) -> None:
    """What a folder holds against what was noted; faults go to ``report``. Run in a process of its own."""
    lines, faults = noted(log), list[str]()
    taken = {(name, int(plane)): sum_ for kind, name, plane, sum_ in (line for line in lines if len(line) == 4)}
    entered = {int(line[1]): line[2] for line in lines if line[0] == "entered"}
    stacks = _stacks(folder)
    for path in stacks:
        faults += _faults_of(path, taken)
    try:
        book = AcquisitionBook.read(folder)
    except InputError as error:
        book, faults = None, [*faults, str(error)]
    known = {each.number: each.state for each in book.fields} if book else {}
    faults += [f"field {number} was entered and is lost" for number in entered if number not in known]
    faults += [f"{path} was entered and is lost" for path in (book.written if book else ()) if path not in stacks]
    report.write_text(json.dumps({"faults": faults, "stacks": {path.name: _sum_of(path) for path in stacks}}))


def _stacks(folder: Path) -> list[Path]:
    try:
        return find_stacks([folder])
    except InputError:  # none yet
        return []


def _faults_of(path: Path, taken: dict[tuple[str, int], str]) -> list[str]:
    try:
        stack = open_stack(path)
        sums = [checksum(stack.plane(index)) for index in range(len(stack))]
    except InputError as error:
        return [str(error)]
    expected = [taken.get((path.name, index)) for index in range(PLAN.config.planes)]
    return [] if sums == expected else [f"{path.name} is not what was taken"]


def _sum_of(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        digest.update(file.read_bytes() if file.is_file() else file.name.encode())
    return digest.hexdigest()[:24]


def checked(folder: Path, log: Path, root: Path) -> dict[str, Any]:
    """The report of :func:`check`."""
    report = root / "report.json"
    assert os.waitstatus_to_exitcode(os.waitpid(forked(lambda: check(folder, log, report)), 0)[1]) == 0
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def trial(root: Path, kills: int, seed: int) -> dict[str, Any]:
    """So many kills, over as many folders as they fill; what was found."""
    rng, faults, killed, folders, finished = random.Random(seed), list[str](), 0, 0, 0
    while killed < kills:
        folder, log, before = root / f"slide{folders}", root / f"log{folders}", dict[str, str]()
        folders += 1
        is_done = False
        while not is_done:
            is_done = kill_once(folder, log, rng) if killed < kills else _completed(folder, log, seed)
            killed += not is_done
            found = checked(folder, log, root)
            changed = [name for name, sum_ in before.items() if found["stacks"].get(name) != sum_]
            faults += [*found["faults"], *(f"{name} changed after it was finished" for name in changed)]
            before = found["stacks"]
        finished += len(before)
        if len(before) != 6:
            faults.append(f"{folder.name} holds {len(before)} stacks instead of 6")
        if leftovers := [path.name for path in folder.iterdir() if path.name.endswith(".part")]:
            faults.append(f"{folder.name} holds {leftovers}")
    return {"kills": killed, "folders": folders, "stacks": finished, "faults": faults, "seed": seed}


def _completed(folder: Path, log: Path, seed: int) -> bool:
    """The last run is left alone."""
    _, status = os.waitpid(forked(lambda: acquire_noting(folder, log, seed)), 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the last run failed"
    return True


def main() -> None:
    """Run the trial and write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        found = trial(Path(root), options.kills, options.seed)
    found["seconds"] = round(time.monotonic() - began_s, 1)
    options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    assert not found["faults"], found["faults"]


if __name__ == "__main__":
    main()
