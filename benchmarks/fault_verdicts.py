"""What is held against a run of the fault campaign, by the hardware's own log: each violation is one sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fault_calibrating import PLAN, unfinished
from fault_kinds import FaultyHardware, Hang
from fault_routines import Routine, folder_of
from fault_stand import DOF_UM, HOME_UM, LARGEST_STEP_UM, LIMITS_UM, PLAY_UM, XY_LIMITS_UM, Stand
from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.io import open_stack
from napari_autofocus.workflows.acquire.book import AcquisitionBook
from napari_autofocus.workflows.mda import read_frames
from napari_autofocus.workflows.survey import read_record

ASTRAY = re.compile(
    r"last seen|could not be brought|not moved back|left where|[Ss]omebody else|best place that was verified"
)
"""Words by which a record tells that slide or drive are not where they were."""
_LIES = ("stage reports a wrong z", "slide reports a wrong place")
_SPOILS = ("saturated frame", "black frame", "NaN frame")
_LENS_MA = (-250.0, 250.0)
_SAME_PLACE_UM = 0.25
_MOST_UM = LARGEST_STEP_UM + 0.15
"""A single command, and what the drive may rest off."""
PLANES = {"acquire stacks": 5, "calibrate": PLAN.planes}
"""Of a stack."""
_SENTENCE = re.compile(r"\w.{14,}", re.DOTALL)


@dataclass
class Ending:
    """How a run ended, as the program told it."""

    records: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    promised: list[str] = field(default_factory=list)
    """Files and parts of files that were told as written."""
    steps: int = 0
    closed: bool = False

    def word(self, routine: Routine) -> str:
        """The outcome's name; of an error that is raised, its class."""
        if self.records:
            return str(getattr(self.records[-1], routine.word))
        if self.error is not None:
            return type(self.error).__name__
        return "cancelled" if self.closed else "none"

    @property
    def told(self) -> str:
        """All its sentences."""
        reasons = " ".join(getattr(self.records[-1], "reasons", ())) if self.records else ""
        notes = " ".join(getattr(self.error, "__notes__", ()))
        return f"{reasons} {'' if self.error is None else self.error} {notes}".strip()


@dataclass(frozen=True)
class Done:
    """A run that has ended, with everything that it may be judged by."""

    name: str
    routine: Routine
    stand: Stand
    hardware: FaultyHardware
    ending: Ending

    @property
    def word(self) -> str:
        """The outcome's name."""
        return self.ending.word(self.routine)

    @property
    def is_taken_over(self) -> bool:
        """Whether a person moved the drive last: it is theirs, and nothing has moved it back."""
        drive = [each for each in self.hardware.log.commands if each.device == "z"]
        return bool(drive) and drive[-1].by_hand


def violations(done: Done) -> list[str]:
    """Everything that must not be."""
    if isinstance(done.ending.error, Hang):
        return [f"hang: {done.ending.error}"]
    checks = (_named, _inside, _still, _way_back, _hands_off, _at_home, _put_back, _claims, _files)
    return [each for check in checks for each in check(done)]


def _named(done: Done) -> Iterator[str]:
    """Every end has a word and a sentence; nothing but our own errors comes out, and of hardware only at the start."""
    error, word = done.ending.error, done.word
    if error is not None and not isinstance(error, AutofocusError):
        yield f"no name: {type(error).__name__}: {error}"
    if len(done.ending.records) > 1:
        yield f"told {len(done.ending.records)} records"
    if not done.ending.records and error is None and not (done.routine.raises and done.ending.closed):
        yield "no record"
    if done.ending.records:
        yield from _sound_record(done.ending.records[0])
        if word not in done.routine.ends:
            yield f"unknown outcome {word}"
        if word not in ("done", "focused", "already_in_focus") and not _SENTENCE.search(done.ending.told):
            yield f"{word} without a sentence: {done.ending.told!r}"
    elif error is not None:
        if not _SENTENCE.search(str(error)):
            yield f"{word} without a sentence"
        if not done.routine.raises and not isinstance(error, InputError) and done.hardware.log.commands:
            yield f"raised after moving: {error}"


def _sound_record(record: Any) -> Iterator[str]:
    """It goes to JSON and back unchanged (that of an overview without its image)."""
    if not hasattr(record, "to_json"):
        return
    try:
        text = record.to_json()
        back = type(record).from_json(text)
        if back.to_json() != text and not hasattr(record, "overview"):
            yield "the record changes in JSON"
    except (ValueError, TypeError, AutofocusError) as error:
        yield f"the record is no JSON: {error}"


def _inside(done: Done) -> Iterator[str]:
    """No command beyond the limits, to any device, nor beyond the largest step; no command that is no number."""
    low, high = LIMITS_UM
    x0, y0, x1, y1 = XY_LIMITS_UM
    for (z_um,) in done.hardware.log.sent("z"):
        if not low <= z_um <= high:
            yield f"limit: the stage was sent to {z_um}"
    if done.hardware.fault.kind not in _LIES:  # where the stage says that it stands is what a step is measured from
        for each in done.hardware.log.commands:
            if each.device == "z" and not each.by_hand and abs(each.target[0] - each.from_um) > _MOST_UM:
                yield f"limit: a step from {each.from_um:.2f} to {each.target[0]:.2f}"
    for x_um, y_um in done.hardware.log.sent("xy"):
        if not (x0 <= x_um <= x1 and y0 <= y_um <= y1):
            yield f"limit: the slide was sent to {x_um}, {y_um}"
    for (value,) in done.hardware.log.sent("lens"):
        if not _LENS_MA[0] <= value <= _LENS_MA[1]:
            yield f"limit: the lens was set to {value}"


def _still(done: Done) -> Iterator[str]:
    """Once it has ended, nothing moves any more."""
    before = len(done.hardware.log.commands)
    done.stand.rig.clock.sleep(10.0)
    if len(done.hardware.log.commands) != before:
        yield "moved after its end"


def _way_back(done: Done) -> Iterator[str]:
    """Once it was stopped, the drive goes straight back to where it started, or nowhere."""
    log = done.hardware.log
    if log.closed_at is None:
        return
    before = [each for each in log.commands[: log.closed_at] if each.device == "z"]
    here_um = before[-1].target[0] if before else done.stand.start_um
    margin_um = 1.5 * PLAY_UM + 0.15
    low, high = min(here_um, done.stand.start_um) - margin_um, max(here_um, done.stand.start_um) + margin_um
    for each in log.commands[log.closed_at :]:
        if each.by_hand:
            continue
        if not done.routine.goes_home:
            yield f"moved {each.device} after it was stopped"
        elif each.device == "z" and not low <= each.target[0] <= high:
            yield f"went to {each.target[0]:.2f} on the way back from {here_um:.2f} to {done.stand.start_um:.2f}"
        elif each.device == "xy" and math.dist(each.target, HOME_UM) > 0.1:
            yield f"sent the slide to {each.target} after it was stopped"


def _hands_off(done: Done) -> Iterator[str]:
    """Whoever takes the drive keeps it; a hold waits until it rests, following a map takes it for an offset."""
    if not done.routine.goes_home or (done.name == "calibrate" and done.ending.error is None):
        return  # between the phases of a calibration nobody relies on the drive
    commands = done.hardware.log.commands
    taken = next((index for index, each in enumerate(commands) if each.by_hand), len(commands))
    before = [each.target[0] for each in commands[:taken] if each.device == "z"]
    here_um = before[-1] if before else done.stand.start_um
    if taken < len(commands) and abs(commands[taken].target[0] - here_um) < _SAME_PLACE_UM:
        return
    for each in commands[taken:]:
        if not each.by_hand:
            yield f"sent {each.device} to {each.target} after a person took the drive"


def _at_home(done: Done) -> Iterator[str]:
    """Slide and drive are where they were, or where focus was verified, or it is told that they are not."""
    if not done.routine.goes_home or done.hardware.fault.kind in _LIES or ASTRAY.search(done.ending.told):
        return
    word = done.word
    if word not in ("focused", "already_in_focus") and not done.is_taken_over:
        z_um = done.hardware.encoder_um()
        if abs(z_um - done.stand.start_um) > 0.15:
            where = f"at {z_um:.2f} instead of {done.stand.start_um:.2f}"
            yield f"the drive is {where}, and nothing is said: {done.ending.told}"
    xy_um = done.hardware.slide_um()
    if math.dist(xy_um, HOME_UM) > 2.5:
        yield f"the slide is at {xy_um[0]:.1f}, {xy_um[1]:.1f}, and nothing is said: {done.ending.told}"
    if done.hardware.log.sent("lens") and abs(done.hardware.lens_value()) > 1e-6 and "put back" not in done.ending.told:
        yield f"the lens is at {done.hardware.lens_value():g}, and nothing is said: {done.ending.told}"


def _put_back(done: Done) -> Iterator[str]:
    """Live mode, exposure and shutter are as they were, where the camera still answers."""
    if done.hardware.is_gone("camera"):
        return
    after = done.stand.state()
    if after != done.stand.before:
        yield f"live mode, exposure, automatic shutter and shutter are {after} instead of {done.stand.before}"


def _claims(done: Done) -> Iterator[str]:
    """What is called in focus is; what is called found is there. A model's words on spoiled frames are not judged."""
    if not done.ending.records or done.hardware.fault.kind in (*_LIES, *_SPOILS):
        return
    record, word = done.ending.records[0], done.word
    away_um = done.stand.rig.true_axial_um() - done.stand.slide.best_focus_um(*done.hardware.slide_um())
    taken_over = (
        bool(done.hardware.log.commands) and done.hardware.log.commands[-1].by_hand
    )  # by a person, after it was in focus
    if word in ("focused", "already_in_focus") and not abs(away_um) <= DOF_UM and not taken_over:
        yield f"claims {word} at {away_um:+.2f} um"
    for point in getattr(record, "points", ()):
        if point.outcome == "found":
            off_um = point.z_um - done.stand.direction * done.stand.slide.best_focus_um(point.x_um, point.y_um)
            if not abs(off_um) <= DOF_UM:
                yield f"a point is off by {off_um:+.2f} um and called found"


def _files(done: Done) -> Iterator[str]:
    """What was told as written is there, whole, and is what the camera delivered."""
    folder = folder_of(done.name, done.stand.folder)
    check = _OF_FILES.get(done.name)
    try:
        yield from check(folder, done) if check is not None else ()
    except (AutofocusError, FileNotFoundError) as error:
        yield f"what it left cannot be read: {error}"
    if done.name == "acquire stacks" and folder.is_dir():
        left = [path.name for path in folder.iterdir() if path.name.endswith(".part")]
        if left and done.hardware.fault.kind != "disk full":
            yield f"half-written files are left: {left}"


def _is_known(image: np.ndarray, done: Done) -> bool:
    key = np.ascontiguousarray(image).tobytes()
    return key in done.stand.slide.truth_um or key in done.hardware.log.spoiled


def _stacks(folder: Path, done: Done) -> Iterator[str]:
    book = AcquisitionBook.read(folder) if folder.is_dir() else None
    known = {path.name for path in book.written} if book is not None else set()
    for name in done.ending.promised:
        if name not in known:
            yield f"{name} was told as written and is not in the book"
        try:
            stack = open_stack(folder / name)
            planes = [stack.plane(index) for index in range(len(stack))]
        except InputError as error:
            yield f"{name} cannot be read: {error}"
            continue
        if len(planes) != PLANES[done.name] or not all(_is_known(plane, done) for plane in planes):
            yield f"{name} is not what the camera delivered"


def _tiles(out: Path, done: Done) -> Iterator[str]:
    import zarr

    if out.exists():
        return  # stitched: tiles overlap, and are checked by the tests of stitching
    found = [path for path in out.parent.rglob("tiles") if path.is_dir()]
    for number in map(int, done.ending.promised):
        images = [np.asarray(zarr.open_array(str(found[0] / shot), mode="r")[number]) for shot in "ab"] if found else []
        if not images or not all(_is_known(image, done) for image in images):
            yield f"tile {number} was told as written and is lost"


def _frames(folder: Path, done: Done) -> Iterator[str]:
    import zarr

    told = done.ending.records[0].frames if done.ending.records else 0
    lines = read_frames(folder) if (folder / "frames.jsonl").exists() else []
    if len(lines) != told:
        yield f"{told} frames were told as acquired, {len(lines)} are on the disk"
    for line in lines:
        index = line["index"]
        array = zarr.open_group(str(folder / line["file"]), mode="r")["0"]
        at = tuple(index.get(axis, 0) for axis in "tcz")
        image = np.asarray(array[at])
        if not _is_known(image.reshape(image.shape[-2:]), done):
            yield f"frame {index} is not what the camera delivered"


def _calibration(folder: Path, done: Done) -> Iterator[str]:
    unfinished(done.stand.folder)  # raises if what it left cannot be read
    yield from _stacks(folder, done)


def _survey(path: Path, done: Done) -> Iterator[str]:
    kept = read_record(path)
    told = done.ending.records[0].points if done.ending.records and done.ending.error is None else ()
    if told and (kept is None or kept.points != told):
        yield f"{len(told)} points were told, {0 if kept is None else len(kept.points)} are in the file"


_OF_FILES = {
    "survey": _survey,
    "acquire stacks": _stacks,
    "virtual scan": _tiles,
    "calibrate": _calibration,
    "MDA": _frames,
}
