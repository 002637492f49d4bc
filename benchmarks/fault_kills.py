"""kill -9 at random moments of whatever moves the microscope or writes a slide.

    python benchmarks/fault_kills.py --what "virtual refocus" [--kills 4] [--seed 0] --out FILE

A worker is forked and killed between two of its steps or within one; what it was told to be written must be on the disk
with the content that it had, and the next worker goes on until the work is done. Labelling, teaching and acquiring have
scripts of their own (``kills_labelling.py`` and its like). POSIX only: workers are forks of this process, which loads
what they need and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zarr

from fault_kills_stage import STAGE_WORK
from fault_routines import ROUTINES, scan_plan
from fault_slides import SETTINGS, Mean, read_slide, undisturbed, write_pair
from fault_stand import Stand
from napari_autofocus.io.zarr_slide import open_slide
from napari_autofocus.workflows.mda import read_frames
from napari_autofocus.workflows.virtual_scan import scan_slide
from napari_autofocus.workflows.virtual_slide import refocus_slide

LONGEST_S = 0.3
PATIENCE_S = 300.0
Note = Callable[[str], None]


def slide_work(folder: Path, note: Note, _: int) -> None:
    """Recover a slide; each step is noted after it."""
    for step in refocus_slide(folder / "a.zarr", folder / "b.zarr", folder / "out.zarr", Mean(), SETTINGS):
        note(f"step {step.phase} {step.done}")


def slide_check(folder: Path, notes: list[str], is_done: bool) -> Iterator[str]:
    """Whole or not there; in the end what an undisturbed run makes."""
    if is_done and not np.array_equal(read_slide(folder), undisturbed(1.0)):
        yield "the slide is not that of an undisturbed run"
    if not is_done and (folder / "out.zarr").exists() and not np.array_equal(read_slide(folder), undisturbed(1.0)):
        yield "half a slide bears the name of a whole one"
    if not any(each.startswith("step") for each in notes):
        yield "nothing was done"


def scan_work(folder: Path, note: Note, seed: int) -> None:
    """Scan four tiles; each tile's checksums are noted once it was told as written."""
    stand = Stand.make(folder, (seed,), live=False)
    for step in scan_slide(stand.rig.microscope, scan_plan(), folder / "slide.zarr"):
        result = getattr(step, "result", None)
        note(f"step {getattr(step, 'phase', '')}" if result is None else f"tile {result.number} {result.state}")
    stand.rig.close()


def scan_check(folder: Path, notes: list[str], is_done: bool) -> Iterator[str]:
    """Every tile that was told as written is there; none is taken twice."""
    told = [int(each.split()[1]) for each in notes if each.startswith("tile") and each.endswith("written")]
    if len(told) != len(set(told)):
        yield f"tiles were taken again: {told}"
    if (folder / "slide.zarr").exists():
        for shot in "ab":
            if not np.asarray(open_slide(folder / "slide.zarr" / shot).read(slice(None), slice(None))).any():
                yield f"shot {shot} is black"
        return
    if is_done:
        yield "it is done and there is no slide"
    stores = [path for path in folder.rglob("tiles") if path.is_dir()]
    for number in told:
        for shot in "ab":
            if not stores or not np.asarray(zarr.open_array(str(stores[0] / shot), mode="r")[number]).all():
                yield f"tile {number} was told as written and is lost"


def mda_work(folder: Path, note: Note, seed: int) -> None:
    """Acquire with autofocus into a new folder; each frame is noted once it has been reported."""
    home = folder / f"run{seed}"
    home.mkdir()
    stand = Stand.make(home, (seed,), live=False)
    frames = [0]

    def on_frame(*_: object) -> None:
        frames[0] += 1
        note(f"frame {home.name} {frames[0]}")

    stand.rig.core.mda.events.frameReady.connect(on_frame)
    note("step begun")
    for _ in ROUTINES["MDA"].start(stand, lambda _: None):
        pass
    stand.rig.close()


def mda_check(folder: Path, notes: list[str], is_done: bool) -> Iterator[str]:
    """What was reported is listed, and what is listed can be read."""
    for home in sorted(path.name for path in folder.iterdir() if path.is_dir()):
        told = sum(each.startswith(f"frame {home} ") for each in notes)
        kept = folder / home / "mda"
        lines = read_frames(kept) if (kept / "frames.jsonl").exists() else []
        if len(lines) < told:
            yield f"{told} frames were reported and {len(lines)} are listed"
        for line in lines:
            array = zarr.open_group(str(kept / line["file"]), mode="r")["0"]
            if not np.asarray(array[tuple(line["index"].get(axis, 0) for axis in "tcz")]).all():
                yield f"frame {line['index']} of {home} is lost"
    if is_done and not notes:
        yield "nothing was done"


Work = tuple[Callable[[Path, Note, int], None], Callable[[Path, list[str], bool], Iterator[str]], int]
"""What is done, how it is looked at, and after how many notes at most it is killed."""
WORK: dict[str, Work] = {
    "virtual refocus": (slide_work, slide_check, 13),
    "virtual scan": (scan_work, scan_check, 13),
    "MDA": (mda_work, mda_check, 13),
    **STAGE_WORK,
}


def forked(work: Callable[[], Any]) -> int:
    """Start a worker; its process id. It ends with 0 only if the work is done."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        cv2.setNumThreads(1)
        work()
        code = 0
    except Exception:  # noqa: BLE001 (told to whoever reads what this process says)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def noted(log: Path) -> list[str]:
    """Lines that were written whole."""
    text = log.read_text() if log.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def worked(what: str, folder: Path, log: Path, seed: int, kill: tuple[int, float] | None) -> bool:
    """Let a worker work, and kill it after so many notes and so many seconds; whether it came to its end."""
    before, (work, *_) = len(noted(log)), WORK[what]

    def with_notes() -> None:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        work(folder, lambda line: os.write(handle, f"{line}\n".encode()) and None, seed)

    worker, give_up = forked(with_notes), time.monotonic() + PATIENCE_S
    while kill is None or len(noted(log)) < before + kill[0]:
        ended, status = os.waitpid(worker, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0, f"{what} ended with an error by itself"
            return True
        if time.monotonic() > give_up:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)
            raise AssertionError(f"{what} hangs")
        time.sleep(0.002)
    time.sleep(kill[1])
    os.kill(worker, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == 0


def check(what: str, folder: Path, log: Path, is_done: bool, report: Path) -> list[str]:
    """What is wrong with what lies there, looked at by a process of its own."""

    def look() -> None:
        report.write_text(json.dumps(list(WORK[what][1](folder, noted(log), is_done))))

    assert os.waitstatus_to_exitcode(os.waitpid(forked(look), 0)[1]) == 0, "the look at the disk failed"
    found: list[str] = json.loads(report.read_text())
    return found


def trial(what: str, kills: int, seed: int, root: Path) -> dict[str, Any]:
    """So many kills of one piece of work, or of several where it ends too soon; what was found."""
    rng, faults, killed, pieces = random.Random(seed), list[str](), 0, 0
    while killed < kills:
        folder, log, is_done = root / f"piece{pieces}", root / f"log{pieces}", False
        folder.mkdir()
        if what == "virtual refocus":
            assert os.waitstatus_to_exitcode(os.waitpid(forked(lambda at=folder: write_pair(at)), 0)[1]) == 0  # type: ignore[misc]
        pieces += 1
        while not is_done:
            moment = (rng.randint(1, WORK[what][2]), rng.uniform(0, LONGEST_S)) if killed < kills else None
            is_done = worked(what, folder, log, rng.randrange(2**20), moment)
            killed += not is_done
            faults += check(what, folder, log, is_done, root / "report.json")
    return {"what": what, "kills": killed, "pieces": pieces, "faults": faults, "seed": seed}


def main() -> int:
    """Run the trial and write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=sorted(WORK), required=True)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        found = trial(wanted.what, wanted.kills, wanted.seed, Path(root))
    wanted.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
