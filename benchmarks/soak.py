"""Hours of live mode, hold focus and overlays in a few minutes: does anything grow, and does every Stop stop?

A real napari window with the simulated microscope, whose focus drifts. Cycle after cycle focus is held, then comes a
refocus, an Undo, a refocus that is stopped, a sweep that is stopped, a hold that is stopped; the panel is closed and
opened, the model switched, the microscope disconnected and connected. After each cycle everything is counted.

    xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/soak.py [--minutes 20]

The exit code is 1 where something grows or a Stop was missed. ``--leak threads`` leaks on purpose. Freed memory is
given back as by ``napari-autofocus demo``; with ``--keep-freed`` the C library keeps what it likes, as in plain napari.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import napari
import numpy as np

from napari_autofocus.memory import give_freed_memory_back
from napari_autofocus.widgets.session import Session
from soak_books import WARM_UP, Books, slopes
from soak_leaks import LEAKS
from soak_stand import MODELS, Stand, let_pass, wait_for

RESULTS = Path(__file__).parent / "results" / "soak.json"
WINDOW = (1100, 640)
STOP_S = 2.0
"""Within so long a run has ended after Stop, everything put back; times when the window could not run not counted."""
_KEPT = 120


class Soak:
    """Does what people do, and counts."""

    def __init__(self, stand: Stand, seed: int, leak: str | None, skip: Sequence[str] = ()) -> None:
        self.stand, self.books = stand, Books(stand.viewer)
        self._rng = np.random.default_rng(seed)
        self._leak = LEAKS.get(leak or "")
        self._skip = tuple(skip)
        self.stops: list[dict[str, Any]] = []
        self.acts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.cycles = 0

    def cycle(self) -> None:
        """Every act once, and a count in the middle of the last, while there is neither microscope nor live mode."""
        for act in (
            self._hold,
            self._refocus,
            self._undo,
            self._stopped_refocus,
            self._stopped_sweep,
            self._panel,
            self._model,
            self._reconnect,
        ):
            name = act.__name__.strip("_")
            if name not in self._skip:
                act()
                self.acts[name] += 1
        self.cycles += 1

    # acts

    def _hold(self) -> None:
        holding = self.stand.panel.holding
        holding.hold_button.setChecked(True)
        wait_for("the hold", lambda: holding.is_holding)
        let_pass(2.5)
        self.stand.turn_drift()
        self._press("hold", lambda: holding.hold_button.setChecked(False), lambda: not holding.is_holding)

    def _refocus(self) -> None:
        refocusing = self.stand.panel.refocusing
        before = refocusing.record
        self.stand.choose_method("one-shot")
        refocusing.buttons.refocus.click()
        wait_for("the refocus", lambda: refocusing.record is not before)
        self.stand.rest()
        self.outcomes[refocusing.record.outcome if refocusing.record else "none"] += 1

    def _undo(self) -> None:
        undo = self.stand.panel.refocusing.buttons.undo
        if undo.isEnabled():
            undo.click()
            self.stand.rest()

    def _stopped_refocus(self) -> None:
        self._stopped("one-shot", "refocus")

    def _stopped_sweep(self) -> None:
        self._stopped("sweep", "sweep")

    def _stopped(self, method: str, name: str) -> None:
        refocusing = self.stand.panel.refocusing
        self.stand.choose_method(method)
        before = refocusing.record
        refocusing.buttons.refocus.click()
        # On a busy machine it may have ended before anybody looks.
        wait_for("the run", lambda: self.stand.session.is_running or refocusing.record is not before)
        let_pass(float(self._rng.uniform(0.0, 0.3)))
        if self.stand.session.is_running:
            self._press(name, refocusing.buttons.stop.click, lambda: not self.stand.session.is_running)
        self.stand.rest()
        self.stand.choose_method("one-shot")

    def _panel(self) -> None:
        self.stand.close_panel()
        self.stand.open_panel()
        wait_for("the model", lambda: self.stand.session.focus.chosen is not None)

    def _model(self) -> None:
        for name in reversed(MODELS):
            self.stand.choose_model(name)
            self.stand.frames(2)

    def _reconnect(self) -> None:
        self.stand.disconnect()
        let_pass(0.3)
        if self._leak is not None:
            self._leak(self.stand.viewer)
        self.books.sample()
        self.stand.connect()

    def _press(self, what: str, press: Callable[[], object], has_ended: Callable[[], bool]) -> None:
        """Stop something; note how long it took, and whether the stage was commanded once it had ended."""
        began_s = time.perf_counter()
        press()
        stalled_s = wait_for(f"the end of the {what}", lambda: has_ended() and not self.stand.session.hardware.busy)
        took_s = time.perf_counter() - began_s
        moved = self.stand.moves_after_rest()
        stop = {"what": what, "seconds": round(took_s - stalled_s, 3), "with_stalls_s": round(took_s, 3)}
        self.stops.append({**stop, "moves_after": moved})

    # what is told

    def told(self) -> dict[str, Any]:
        """The figures."""
        found = slopes(self.books.samples)
        late = [each for each in self.stops if each["seconds"] > STOP_S or each["moves_after"]]
        return {
            "cycles": self.cycles,
            "acts": dict(self.acts),
            "outcomes": dict(self.outcomes),
            "stage_commands": self.stand.log.total,
            "frames_shown": self.stand.session.view.frames_shown,
            "slopes_a_cycle": found,
            "growing_types_a_cycle": self.books.growing_types(),
            "stops": {
                "pressed": len(self.stops),
                "within_s": STOP_S,
                "longest_s": max((each["seconds"] for each in self.stops), default=None),
                "longest_with_stalls_s": max((each["with_stalls_s"] for each in self.stops), default=None),
                "moves_after": sum(each["moves_after"] for each in self.stops),
                "missed": late,
            },
            "failures": self.stand.failures,
            "grows": [name for name, each in found.items() if each["verdict"] == "grows"],
            "unsettled": [name for name, each in found.items() if each["verdict"] == "unsettled"],
            "samples": _thinned([asdict(each) for each in self.books.samples]),
        }


def _thinned(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    every = max(1, -(-len(samples) // _KEPT))
    return samples[::every]


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Open the window and soak until the time is up."""
    began_s = time.perf_counter()
    gives_back = not options.keep_freed and give_freed_memory_back()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    try:
        return {"gives_freed_memory_back": gives_back, **_soaked(viewer, options, began_s)}
    finally:
        viewer.close()


def _soaked(viewer: Any, options: argparse.Namespace, began_s: float) -> dict[str, Any]:
    stand = Stand(viewer, Session.of(viewer))
    stand.connect()
    stand.choose_model(MODELS[0])
    soak = Soak(stand, options.seed, options.leak, options.skip)
    until_s = began_s + 60 * options.minutes
    is_warm = False
    while time.perf_counter() < until_s:
        soak.cycle()
        if not is_warm and time.perf_counter() > began_s + 60 * options.minutes * WARM_UP:
            is_warm = True
            soak.books.begin_types()
        print(soak.books.samples[-1], file=sys.stderr, flush=True)
    result = {
        "command": f"python benchmarks/soak.py --minutes {options.minutes:g} --seed {options.seed}"
        + (f" --skip {' '.join(options.skip)}" if options.skip else "")
        + (" --keep-freed" if options.keep_freed else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": platform.python_version()},
        "minutes": round((time.perf_counter() - began_s) / 60, 1),
        **soak.told(),
    }
    if options.screenshot:
        viewer.screenshot(str(options.screenshot), canvas_only=False, flash=False)
    return result


def main() -> None:
    """Soak, print what was found and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="120 for the long form")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--leak", choices=sorted(LEAKS), help="leak on purpose, to see that it is found")
    parser.add_argument("--skip", nargs="*", default=[], help="acts to leave out, to find which one something grows by")
    parser.add_argument("--keep-freed", action="store_true", help="leave freed memory to the C library, as napari does")
    parser.add_argument("--screenshot", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    result = run(options)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in result.items() if name != "samples"}, indent=1))
    if result["grows"] or result["stops"]["missed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
