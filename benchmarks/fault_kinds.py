"""What goes wrong in the fault campaign, and the hardware that does it: every call is counted, every command is noted.

The devices of a simulated microscope are wrapped one by one. What the wrapped devices note is the log that verdicts are
taken from; nothing of it comes from the program under test.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from napari_autofocus.microscope.simulated import SimulatedRig

Hook = Literal["snap", "z", "z-read", "xy", "xy-read", "lens", "any", "step", "write", "none"]

KINDS: dict[str, Hook] = {
    "none": "none",
    "camera time-out": "snap",
    "dropped frame": "snap",
    "stale frame": "snap",
    "NaN frame": "snap",
    "saturated frame": "snap",
    "black frame": "snap",
    "frame of another shape": "snap",
    "stage stuck": "z",
    "stage error": "z",
    "stage error mid-move": "z",
    "stage never done": "z",
    "stage slow": "z",
    "stage reports a wrong z": "z-read",
    "stage reports NaN": "z-read",
    "stage does not report": "z-read",
    "slide stuck": "xy",
    "slide error": "xy",
    "slide never done": "xy",
    "slide reports a wrong place": "xy-read",
    "lens stuck": "lens",
    "lens error": "lens",
    "camera gone": "snap",
    "stage gone": "z",
    "all devices gone": "any",
    "disk full": "write",
    "stopped": "step",
    "halted": "z",
    "moved by hand": "step",
}
"""Each fault and the calls that it may strike."""
FOR_GOOD = 10**6
_GONE = {"camera gone": ("camera", "shutter"), "stage gone": ("z",), "all devices gone": ("camera", "z", "xy", "lens")}
_GETS_LOST = ("dropped frame", "NaN frame", "frame of another shape")
_MOST_CALLS = 400_000


class Hang(BaseException):
    """A run that does not end; not an Exception, so that nothing takes it for a fault of a device."""


@dataclass(frozen=True)
class Fault:
    """One fault: from which call of its hook on (counted from 1), and for how many."""

    kind: str
    at: int = 1
    times: int = 1
    size: float = 1.0
    """How bad, between 0 and 1: a wrong reading is off by so much of 8 µm, a slow stage is so slow."""

    @property
    def hook(self) -> Hook:
        return KINDS[self.kind]


@dataclass(frozen=True)
class Command:
    """A position or value that a device was sent to, and by whom."""

    device: str
    target: tuple[float, ...]
    at_s: float
    by_hand: bool = False
    from_um: float = math.nan
    """Where the focus drive stood."""


@dataclass
class Log:
    """What the hardware itself noted."""

    commands: list[Command] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    struck: int = 0
    closed_at: int | None = None
    """How many commands there were when the run was stopped by its caller."""
    spoiled: set[bytes] = field(default_factory=set)
    """Frames that went wrong, as they were delivered."""

    def sent(self, device: str) -> list[tuple[float, ...]]:
        """Where the program sent a device."""
        return [each.target for each in self.commands if each.device == device and not each.by_hand]


class FaultyHardware:
    """Wraps the devices of a rig; one fault strikes, the rest works.

    Parameters
    ----------
    rig : SimulatedRig
        On a virtual clock.
    fault : Fault
        What goes wrong.
    longest_s : float
        Virtual time after which a run counts as hanging, s.
    """

    def __init__(self, rig: SimulatedRig, fault: Fault, *, longest_s: float = 3600.0) -> None:
        self.rig, self.fault, self.log = rig, fault, Log()
        self.by_hand = False
        self._on_stop: Callable[[], None] | None = None
        self._gone: set[str] = set()
        self._busy: set[str] = set()
        self._spoil = ""
        self._last: np.ndarray | None = None
        self._ends_s = rig.clock.now_s() + longest_s
        self._wrap_camera()
        self._wrap_stage()
        self._wrap_slide()
        self._wrap_lens()

    # when

    def due(self, hook: Hook) -> str:
        """Count a call; the fault that strikes it, or an empty word."""
        self.log.calls[hook] += 1
        call = self.log.calls[hook]
        if self.fault.hook != hook or not self.fault.at <= call < self.fault.at + self.fault.times:
            return ""
        self.log.struck += 1
        self._gone.update(_GONE.get(self.fault.kind, ()))
        return self.fault.kind

    def _reached(self, device: str) -> None:
        """Somebody talks to a device: it must be there, and the run must not go on for ever."""
        self.due("any")
        if self.log.calls["any"] > _MOST_CALLS or self.rig.clock.now_s() > self._ends_s:
            raise Hang(f"{self.log.calls['any']} calls, {self.rig.clock.now_s():.0f} s")
        if device in self._gone:
            raise RuntimeError(f"device {device} is not connected")

    def _note(self, device: str, *target: float) -> None:
        here_um = self.encoder_um() if device == "z" else math.nan
        self.log.commands.append(Command(device, target, self.rig.clock.now_s(), self.by_hand, here_um))

    def is_gone(self, device: str) -> bool:
        """Whether a device answers no more."""
        return device in self._gone

    def stop_at_snap(self, stop: Callable[[], None]) -> None:
        """A run without steps of its own is stopped while it exposes."""
        self._on_stop = stop

    # what

    def _wrap_camera(self) -> None:
        camera, core = self.rig.camera, self.rig.core
        expose, deliver = camera.snap, core.getImage

        def snap(buffer: np.ndarray) -> Any:
            kind = self.due("snap")
            self._reached("camera")
            self._spoil = kind if kind in _GETS_LOST else ""
            if kind == "camera time-out":
                self.rig.clock.sleep(1.0)
                raise TimeoutError("no frame after 1 s")
            tags = expose(buffer)
            if kind == "stale frame" and self._last is not None:
                buffer[:] = self._last
            elif kind in ("saturated frame", "black frame"):
                buffer[:] = 255 if kind == "saturated frame" else 0
                self.log.spoiled.add(buffer.tobytes())
            else:
                self._last = buffer.copy()
            if self._on_stop is not None and self.log.calls["snap"] == self.fault.at:
                self.log.struck += 1
                self._on_stop()
            return tags

        def get_image(*arguments: Any, **named: Any) -> Any:
            spoil, self._spoil = self._spoil, ""
            image = deliver(*arguments, **named)
            if not spoil:
                return image
            if spoil == "dropped frame":
                raise IndexError("the buffer of the camera holds no frame")
            spoiled = np.full(image.shape, np.nan, np.float32) if spoil == "NaN frame" else image[:-7]
            self.log.spoiled.add(spoiled.tobytes())
            return spoiled

        camera.snap = snap  # type: ignore[method-assign]
        core.getImage = get_image  # type: ignore[method-assign]

    def _wrap_stage(self) -> None:
        stage, fault = self.rig.z_stage, self.fault
        send, read, busy, top_um_s = stage.set_position_um, stage.get_position_um, stage.busy, stage.speed_um_s

        def command(val: float) -> None:
            self._note("z", float(val))
            kind = "" if self.by_hand else self.due("z")
            self._reached("z")
            stage.speed_um_s = top_um_s
            if kind == "stage error":
                raise RuntimeError("the stage controller answered with error 42")
            if kind == "stage stuck":
                return
            if kind == "stage slow":
                stage.speed_um_s = 10 ** (2 - 3 * fault.size)
            send(val)
            if kind == "stage never done":
                self._busy.add("z")
            if kind == "stage error mid-move":
                raise RuntimeError("the stage controller answered with error 43 on the way")
            if kind == "halted":
                self.rig.microscope.focus.stop()

        def position() -> float:
            kind = self.due("z-read")
            self._reached("z")
            if kind == "stage does not report":
                raise RuntimeError("the encoder does not answer")
            off_um = 8 * (fault.size - 0.5) if kind == "stage reports a wrong z" else 0.0
            return float("nan") if kind == "stage reports NaN" else read() + off_um

        def stop() -> None:
            self._reached("z")
            self._busy.discard("z")
            stage._set_out(read())

        stage.set_position_um, stage.get_position_um = command, position  # type: ignore[method-assign]
        stage.stop, stage.busy = stop, lambda: self._is_busy("z", busy)  # type: ignore[method-assign]
        self.encoder_um = read

    def _wrap_slide(self) -> None:
        stage, fault = self.rig.xy_stage, self.fault
        send, read, busy = stage.set_position_um, stage.get_position_um, stage.busy

        def command(x: float, y: float) -> None:
            self._note("xy", float(x), float(y))
            kind = "" if self.by_hand else self.due("xy")
            self._reached("xy")
            if kind == "slide error":
                raise RuntimeError("the slide's controller answered with error 7")
            if kind == "slide stuck":
                return
            send(x, y)
            if kind == "slide never done":
                self._busy.add("xy")

        def position() -> tuple[float, float]:
            kind = self.due("xy-read")
            self._reached("xy")
            x_um, y_um = read()
            return (x_um + 80 * (fault.size - 0.5), y_um) if kind == "slide reports a wrong place" else (x_um, y_um)

        def stop() -> None:
            self._reached("xy")
            self._busy.discard("xy")
            stage._set_out(read(), read())

        stage.set_position_um, stage.get_position_um = command, position  # type: ignore[method-assign]
        stage.stop, stage.busy = stop, lambda: self._is_busy("xy", busy)  # type: ignore[method-assign]
        self.slide_um = read
        # What stands under the objective is where the slide really is, whatever it reports.
        self.rig.camera._where = lambda: (*read(), self.rig.true_axial_um())

    def _wrap_lens(self) -> None:
        core, lens = self.rig.core, self.rig.lens
        send = core.setProperty

        def set_property(device: str, name: str, value: Any) -> None:
            if device != "Lens":
                send(device, name, value)
                return
            self._note("lens", float(value))
            kind = self.due("lens")
            self._reached("lens")
            if kind == "lens error":
                raise RuntimeError("the lens driver answered with error 9")
            if kind != "lens stuck":
                send(device, name, value)

        core.setProperty = set_property  # type: ignore[method-assign]
        self.lens_value = lens._get_current

    def _is_busy(self, device: str, asked: Callable[[], bool]) -> bool:
        self._reached(device)
        if device in self._busy:
            self.rig.clock.sleep(0.005)
            return True
        return asked()
