"""What is killed while it moves a drive: refocus, sweep, hold, survey and the calibration of a model.

The process dies and the microscope does not: every command is noted before it is sent, and the next worker finds the
drive where the last command sent it. Whatever a worker was told to be kept must be in its files when they are opened
afresh, and work that goes on by its files must come to the end of an undisturbed run.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from fault_calibrating import calibrate, unfinished
from fault_routines import ROUTINES, places, survey_config
from fault_stand import DOF_UM, LIMITS_UM, Stand
from napari_autofocus.errors import AutofocusError
from napari_autofocus.files import replacing
from napari_autofocus.io import open_stack
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.routines.surveying.record import SETTLED
from napari_autofocus.workflows.acquire.book import AcquisitionBook
from napari_autofocus.workflows.calibration.record import STACKS
from napari_autofocus.workflows.run_log import RunLog, read_json
from napari_autofocus.workflows.survey import WRITTEN_EVERY, read_record, survey_slide

Note = Callable[[str], None]
RUNS = 5
"""Of a routine that has nothing to go on with, in one piece of work."""
PLACES = [(x_um, y_um + 40 * row) for row in (-1, 0, 1) for x_um, y_um in places()]


def resumed(folder: Path, note: Note) -> Stand:
    """The microscope as the last worker left it; from now on every command is noted before it is sent."""
    stand = Stand.make(folder, (zlib.crc32(folder.name.encode()),), live=False)
    last = folder / "z_um.txt"
    if last.exists():
        walk_to(stand.rig.microscope.focus, float(last.read_text()))
    send = stand.rig.z_stage.set_position_um

    def noting(val: float) -> None:
        note(f"drive {val}")
        with replacing(last) as part:
            part.write_text(str(val))
        send(val)

    stand.rig.z_stage.set_position_um = noting  # type: ignore[method-assign]
    return stand


def focusing_work(name: str, folder: Path, note: Note, seed: int) -> None:
    """Run a routine again and again from other defocus; each run is noted once its log has been written."""
    stand, log = resumed(folder, note), RunLog()
    for _ in range(RUNS):
        kept: list[Any] = []
        steps = ROUTINES[name].start(stand, kept.append)
        for count, _ in enumerate(steps, 1):
            note("step")
            if count >= ROUTINES[name].rounds:
                break
        steps.close()
        log.add(kept[0])
        log.export_json(folder / f"runs{seed}.json")
        word = getattr(kept[0], ROUTINES[name].word)
        away_um = stand.rig.true_axial_um() - stand.slide.best_focus_um(*stand.rig.microscope.xy_um())
        note(f"told {seed} {len(log)} {word} {away_um}")
        walk_to(stand.rig.microscope.focus, stand.start_um + float(stand.rng.uniform(-3, 3)))
    stand.rig.close()


def focusing_check(name: str, folder: Path, notes: list[str], is_done: bool) -> Iterator[str]:
    """Every run that was told is in a log that can be read, has a named end, and is in focus where it says so."""
    yield from _inside(notes)
    told: dict[str, int] = {}
    for _, seed, number, word, away_um in (each.split() for each in notes if each.startswith("told")):
        told[seed] = int(number)
        if word not in ROUTINES[name].ends:
            yield f"unknown outcome {word}"
        if word in ("focused", "already_in_focus") and not abs(float(away_um)) <= DOF_UM:
            yield f"claims {word} at {away_um} um"
    for seed, number in told.items():
        try:
            found = len(read_json(folder / f"runs{seed}.json"))
        except AutofocusError as error:
            yield f"the log of runs cannot be read: {error}"
            continue
        if found < number:
            yield f"{number} runs were told as kept and {found} are in the log"
    if is_done and not told:
        yield "nothing was done"


def survey_work(folder: Path, note: Note, _: int) -> None:
    """Survey 24 places with the record in a file; each point is noted once it was told."""
    stand, path = resumed(folder, note), folder / "survey.json"
    before = read_record(path)
    note(f"begun {' '.join(str(each) for each in before.numbers) if before else ''}")
    for step in survey_slide(stand.rig.microscope, stand.reader(), survey_config(), PLACES, path=path):
        note("step" if step.point is None else f"point {step.number} {step.point.outcome}")
    stand.rig.close()


def survey_check(folder: Path, notes: list[str], is_done: bool) -> Iterator[str]:
    """The file is whole, holds every point but those since it was last due, and nothing settled is looked at again."""
    yield from _inside(notes)
    known, written, carried, outcomes = set[int](), set[int](), set[int](), dict[int, str]()
    for word, *rest in (each.split() for each in notes):
        if word == "begun":
            known, written = set(map(int, rest)), set(map(int, rest))
            carried = {number for number in written if outcomes.get(number) in SETTLED}
        elif word == "point":
            number = int(rest[0])
            if number in carried:
                yield f"point {number} was settled and is looked at again"
            outcomes[number] = rest[1]
            known.add(number)
            if len(known) % WRITTEN_EVERY == 0:
                written = set(known)
    record = read_record(folder / "survey.json")  # raises if it is not whole
    lost = written - set(record.numbers if record is not None else ())
    if lost:
        yield f"points {sorted(lost)} were kept and are lost"
    if is_done and (record is None or record.outcome != "done" or len(record.points) != len(PLACES)):
        yield "the survey went on and did not come to its end"


def calibrate_work(folder: Path, note: Note, _: int) -> None:
    """Calibrate a model; stacks and proofs are noted once they were told.

    Whoever goes on has focused roughly again, as a calibration asks: a kill may have left the drive far from focus.
    """
    stand = resumed(folder, note)
    walk_to(stand.rig.microscope.focus, stand.start_um)
    for step in calibrate(stand, lambda ended: note(f"ended {ended.reasons[0]}")):
        result, proof = getattr(step.step, "result", None), getattr(step.step, "proof", None)
        if result is not None and result.state == "written":
            note(f"stack {result.name}")
        elif proof is not None:
            note(f"proof {proof.number}")
        else:
            note("step")
    stand.rig.close()


def calibrate_check(folder: Path, notes: list[str], is_done: bool) -> Iterator[str]:
    """Record and stacks can be read and hold what was told; nothing told is done again."""
    yield from _inside(notes)
    for what in ("stack", "proof"):
        told = [each.split()[1] for each in notes if each.startswith(f"{what} ")]
        if len(told) != len(set(told)):
            yield f"a {what} was made again: {told}"
    record, home = unfinished(folder).record, folder / "mine.calibration" / STACKS
    proved = {str(proof.number) for proof in record.proofs} if record is not None else set()
    book = AcquisitionBook.read(home)
    known = {path.name for path in book.written} if book is not None else set()
    for word, *rest in (each.split() for each in notes):
        if word == "proof" and rest[0] not in proved:
            yield f"proof {rest[0]} was told and is lost"
        if word == "stack":
            try:
                open_stack(home / rest[0]).plane(0)
            except AutofocusError as error:
                yield f"{rest[0]} cannot be read: {error}"
            if rest[0] not in known:
                yield f"{rest[0]} was told as written and is lost"
    if is_done and (record is None or record.verdict is None):
        yield "the calibration went on and did not come to its end"


def _inside(notes: list[str]) -> Iterator[str]:
    for each in notes:
        if each.startswith("drive ") and not LIMITS_UM[0] <= float(each.split()[1]) <= LIMITS_UM[1]:
            yield f"limit: the stage was sent to {each.split()[1]}"


STAGE_WORK = {
    **{
        name: (partial(focusing_work, name), partial(focusing_check, name), 40) for name in ("refocus", "sweep", "hold")
    },
    "survey": (survey_work, survey_check, 90),
    "calibrate": (calibrate_work, calibrate_check, 160),
}
"""What is done, how it is looked at, and after how many notes at most it is killed."""
