"""Safety campaign: does any move of ours ever leave the limits, and is every foreign move beyond them noticed?

Commands random, NaN, infinite and out-of-range targets to a simulated drive with play, half of them on a drive of
either focus direction, while an acquisition (MDA), an undo and another widget on the same core move it too, inside and
beyond the limits, before and during our moves, and while the stage sticks, answers with errors or hangs. Every command
that reaches the stage is recorded and judged.

    python benchmarks/moves.py [--moves 10000] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import useq

from napari_autofocus.errors import ForeignMove, HardwareError, MoveRefused
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.protocol import Image
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig

RESULTS = Path(__file__).parent / "results" / "moves.json"
LIMITS_UM = (-40.0, 40.0)
LARGEST_STEP_UM = 15.0
PLAY_UM = 2.0
APPROACH_UM = 3.0
BEYOND_UM = (45.0, -45.0, 41.0, -200.0, 999.0)
ROUNDING_UM = 1e-6


def is_beyond(z_um: float) -> bool:
    """Whether a position lies outside the limits by more than the drive's tolerance."""
    return not LIMITS_UM[0] - 0.1 <= z_um <= LIMITS_UM[1] + 0.1


class Speck:
    """The smallest scene there is: this campaign looks at moves, not at images."""

    shape = (8, 8)
    pixel_size_um = 1.0

    def best_focus_um(self, *_: float) -> float:
        return 0.0

    def snap(self, *_: float, rng: np.random.Generator, **__: Any) -> Image:
        return rng.integers(1, 255, self.shape, dtype=np.uint8)


@dataclass
class Tally:
    """What happened, and what must not."""

    commanded: int = 0
    device_commands: int = 0
    outside_limits: int = 0
    longer_than_largest_step: int = 0
    refused_yet_moved: int = 0
    bad_target_accepted: int = 0
    play_left_untold: int = 0
    beyond_limits: int = 0
    beyond_limits_unnoticed: int = 0
    false_alarms: int = 0
    watched: int = 0
    watched_unnoticed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)

    @property
    def violations(self) -> int:
        """Everything that must be zero."""
        return (
            self.outside_limits
            + self.longer_than_largest_step
            + self.refused_yet_moved
            + self.bad_target_accepted
            + self.play_left_untold
            + self.beyond_limits_unnoticed
            + self.false_alarms
            + self.watched_unnoticed
        )


class Campaign:
    """One drive and everybody who moves it."""

    def __init__(self, focus_direction: int, moves: int, seed: int, tally: Tally) -> None:
        self.rng = np.random.default_rng(seed)
        self.tally = tally
        self.moves = moves
        self.rig: SimulatedRig = simulated_rig(
            Speck(),
            focus_direction=focus_direction,
            backlash_um=PLAY_UM,
            approach_um=APPROACH_UM,
            limits_um=LIMITS_UM,
            largest_step_um=LARGEST_STEP_UM,
            clock=VirtualClock(),
            exposure_ms=1.0,
            faults=self.faults(),
        )
        self.core, self.stage, self.drive = self.rig.core, self.rig.z_stage, self.rig.microscope.focus
        self.core.setTimeoutMs(100)  # how long others wait for a hanging stage, by the wall
        self.foreign_um: list[float] = []
        self.reported_um: list[float] = []
        self.ambush: Callable[[], None] | None = None
        self.core.events.stagePositionChanged.connect(self._on_moved)
        self._before_um = 0.0

    def faults(self) -> list[Fault]:
        """About one command in fifty goes wrong."""
        at = np.unique(self.rng.integers(1, 3 * self.moves, self.moves // 20))
        kinds = self.rng.choice(["stage-sticks", "stage-raises", "stage-hangs"], at.size)
        return [Fault(str(kind), int(call)) for kind, call in zip(kinds, at, strict=True)]  # type: ignore[arg-type]

    def run(self) -> None:
        """Every move of the campaign."""
        for _ in range(self.moves):
            beyond = self.interfere() if self.rng.random() < 0.25 else False
            self.command(beyond)
            if is_beyond(self.core.getPosition()):
                self.recover()
        self.rig.close()

    def command(self, beyond: bool) -> None:
        """One move of ours, watched or not, disturbed or not, and what came of it."""
        self.tally.commanded += 1
        target_um = self.target()
        if self.rng.random() < 0.3:
            with self.drive.watch():
                if not beyond and self.rng.random() < 0.2:
                    self._disturbed_in_watch(target_um)
                else:
                    self._undisturbed_or_ambushed(target_um, beyond)
        else:
            self._undisturbed_or_ambushed(target_um, beyond)

    def _undisturbed_or_ambushed(self, target_um: float, beyond: bool) -> None:
        self.ambush = self._interrupt if self.rng.random() < 0.1 else None
        outcome, sent, by_others = self._outcome(target_um)
        self.ambush = None
        self._judge(target_um, outcome, sent)
        self.tally.outcomes[outcome] += 1
        taken_beyond = self._has_been_beyond() or beyond
        self.tally.beyond_limits += taken_beyond and not beyond
        noticed = outcome == "ForeignMove" or (outcome == "HardwareError" and self._next_call_is_refused())
        self.tally.beyond_limits_unnoticed += taken_beyond and not noticed
        self.tally.beyond_limits_unnoticed += beyond and bool(sent)
        self.tally.false_alarms += outcome == "ForeignMove" and not (beyond or by_others)

    def _next_call_is_refused(self) -> bool:
        """For a foreign move that came just after ours had failed for another reason."""
        try:
            self.drive.position_um()
        except ForeignMove:
            return True
        return False

    def _disturbed_in_watch(self, target_um: float) -> None:
        here_um = self.core.getPosition()
        with suppress(RuntimeError, TimeoutError):
            self._by_widget(float(np.clip(here_um + self.rng.choice([-5.0, 5.0]), *LIMITS_UM)))
        self._let_rest()
        self._take_foreign()
        moved = abs(self.core.getPosition() - here_um) > 0.1
        outcome, sent, _ = self._outcome(target_um)
        self.tally.watched += moved
        self.tally.watched_unnoticed += moved and (outcome != "ForeignMove" or bool(sent))
        self.tally.outcomes[outcome] += 1

    def interfere(self) -> bool:
        """Somebody else moves the drive; whether beyond the limits."""
        by = str(self.rng.choice(["widget", "relative", "property", "undo", "mda"], p=[0.4, 0.2, 0.2, 0.15, 0.05]))
        z_um = float(self.rng.choice(BEYOND_UM)) if self.rng.random() < 0.4 else float(self.rng.uniform(*LIMITS_UM))
        self.tally.foreign[by] += 1
        with suppress(RuntimeError, TimeoutError):  # a fault may strike others as well
            getattr(self, f"_by_{by}")(z_um)
        self._let_rest()
        self._take_foreign()
        beyond = self._has_been_beyond()
        self.tally.beyond_limits += beyond
        return beyond

    def recover(self) -> None:
        """Somebody brings the drive back, if need be again and again."""
        while is_beyond(self.core.getPosition()):
            with suppress(RuntimeError, TimeoutError):
                self.core.setPosition(float(self.rng.uniform(*LIMITS_UM)))
            self._let_rest()
        self.reported_um.clear()

    def target(self) -> float:
        """Where we want to go: near, far, at a limit, or nowhere."""
        low, high = LIMITS_UM
        here_um = self.core.getPosition()
        kind = self.rng.integers(8)
        if kind == 0:
            return float(self.rng.choice([math.nan, math.inf, -math.inf, 1e300, -1e9]))
        if kind == 1:
            just_outside = np.nextafter(low, -99), np.nextafter(high, 99)
            return float(self.rng.choice([low, high, low + 1.0, high - 1.0, *just_outside]))
        if kind == 2:
            return float(self.rng.uniform(-500, 500))
        if kind == 3:
            return here_um + float(self.rng.choice([-1, 1])) * LARGEST_STEP_UM
        return here_um + float(self.rng.uniform(-LARGEST_STEP_UM, LARGEST_STEP_UM))

    def _outcome(self, target_um: float) -> tuple[str, list[float], list[float]]:
        """What came of a move, the commands of ours that it sent, and those that others sent meanwhile."""
        already = len(self.stage.commands_um)
        self._before_um = self.core.getPosition()
        try:
            self.drive.move_to(target_um)
            outcome = "arrived"
        except (MoveRefused, ForeignMove, HardwareError) as error:
            outcome = type(error).__name__
        sent, by_others = self.stage.commands_um[already:], self._take_foreign()
        for z_um in by_others:
            sent.remove(z_um)
        self._let_rest()
        return outcome, sent, by_others

    def _judge(self, target_um: float, outcome: str, sent: list[float]) -> None:
        tally, (low, high) = self.tally, LIMITS_UM
        tally.device_commands += len(sent)
        tally.outside_limits += sum(not low <= z <= high for z in sent)
        places = [self._before_um, *sent]
        longest_um = LARGEST_STEP_UM + 0.1 + ROUNDING_UM
        tally.longer_than_largest_step += sum(abs(b - a) > longest_um for a, b in pairwise(places))
        tally.refused_yet_moved += outcome == "MoveRefused" and bool(sent)
        tally.bad_target_accepted += outcome == "arrived" and not low <= target_um <= high
        if outcome == "arrived":
            error_um = abs(self.stage.axial_um() - self.stage.focus_direction * self.core.getPosition())
            told_um = max(0.0, self.drive.play_left_um - (APPROACH_UM - PLAY_UM))
            tally.play_left_untold += error_um > told_um + 1e-3

    def _interrupt(self) -> None:
        with suppress(RuntimeError, TimeoutError):
            self._by_widget(float(self.rng.uniform(-60, 60)))

    def _on_moved(self, label: str, z_um: float) -> None:  # noqa: ARG002
        self.reported_um.append(z_um)
        if self.ambush is not None:
            ambush, self.ambush = self.ambush, None
            ambush()

    def _by_widget(self, z_um: float) -> None:
        self.foreign_um.append(z_um)
        self.core.setPosition(z_um)

    def _by_relative(self, z_um: float) -> None:
        way_um = z_um - self.core.getPosition()
        already = len(self.stage.commands_um)
        self.core.setRelativePosition(way_um)
        self.foreign_um += self.stage.commands_um[already:]

    def _by_property(self, z_um: float) -> None:
        self.foreign_um.append(z_um)
        self.core.setProperty("Z", "Position", z_um)

    def _by_undo(self, z_um: float) -> None:  # noqa: ARG002
        self._by_widget(self._before_um)

    def _by_mda(self, z_um: float) -> None:
        sequence = useq.MDASequence(z_plan=useq.ZAbsolutePositions(absolute=[z_um - 1, z_um]))
        already = len(self.stage.commands_um)
        self.core.mda.run(sequence)
        self.foreign_um += self.stage.commands_um[already:]

    def _has_been_beyond(self) -> bool:
        beyond = any(map(is_beyond, self.reported_um))
        self.reported_um.clear()
        return beyond

    def _take_foreign(self) -> list[float]:
        taken, self.foreign_um = self.foreign_um, []
        return taken

    def _let_rest(self) -> None:
        """Let foreign moves and faults run out, as an operator would: by waiting, or by resetting the controller."""
        if self.core.deviceBusy("Z"):
            self.rig.clock.sleep(60.0)
        if self.core.deviceBusy("Z"):
            self.core.stop("Z")
            self.rig.clock.sleep(1.0)


def campaign(moves: int, seed: int) -> Tally:
    """Half the moves on a drive of either direction; what happened."""
    tally = Tally()
    for focus_direction in (1, -1):
        Campaign(focus_direction, moves // 2, seed + focus_direction, tally).run()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.getLogger("pymmcore-plus").setLevel(logging.CRITICAL)  # it reports every fault that strikes an acquisition
    tally = campaign(options.moves, options.seed)
    result = {"command": " ".join(["python benchmarks/moves.py", *sys.argv[1:]]), "seed": options.seed}
    result |= {**vars(tally), "violations": tally.violations}
    for name, value in result.items():
        print(f"{name:>26}: {value}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
