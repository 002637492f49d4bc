"""Fuzz every target, or some, for a time; tell how many inputs were opened, and what must not be.

    python -m fuzz [--minutes 10] [--only TEXT ...] [--seed 0] [--out benchmarks/results/fuzz.json]
    python -m fuzz --replay FILE...

What was found is written below ``--keep`` as ``<target>/<digest>``; ``--replay`` opens such files again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fuzz.edits import drawn, edited
from fuzz.registry import TARGETS
from fuzz.targets import Target
from napari_autofocus.io.care import limits

SMALL_PLANE = 2**26
"""Bytes of a plane while fuzzing, so that a plane as large as may be does not count as a finding."""
_MOST_KEPT = 3  # inputs of one finding


@dataclass
class Tally:
    """What became of a target's inputs."""

    ended: Counter[str] = field(default_factory=Counter)
    findings: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"executions": sum(self.ended.values()), **self.ended, "seconds": round(self.seconds, 1)} | (
            {"findings": self.findings} if self.findings else {}
        )


def fuzz(target: Target, seconds: float, rng: random.Random, scratch: Path, keep: Path, tally: Tally) -> None:
    """Open edited inputs of a target until its time is up, the good ones first."""
    until, begun = time.monotonic() + seconds, time.monotonic()
    if not tally.ended:
        for number, data in enumerate(target.seeds):
            if _note(target, data, scratch, keep, tally) != "opened" and number == 0 and target.opens:
                tally.findings["seed: a good input was not opened"] = 1
    while time.monotonic() < until:
        _note(target, edited(rng.choice(target.seeds), drawn(rng)), scratch, keep, tally)
    tally.seconds += time.monotonic() - begun


def _note(target: Target, data: bytes, scratch: Path, keep: Path, tally: Tally) -> str:
    outcome = target.run(data, scratch / target.name)
    tally.ended[outcome.ended] += 1
    if outcome.ended != "found":
        return outcome.ended
    what = f"{outcome.kind}: {outcome.what.replace(str(scratch), '')}"
    label = what if outcome.kind != "crash" else f"crash: {outcome.what.split(':')[0]} {outcome.what.split(' in ')[-1]}"
    tally.findings[label] = tally.findings.get(label, 0) + 1
    if tally.findings[label] <= _MOST_KEPT:
        path = keep / target.name / hashlib.sha256(data).hexdigest()[:12]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{target.name}: {what}\n    {path}", file=sys.stderr)
    return outcome.ended


def _replayed(paths: list[Path], scratch: Path) -> int:
    known = {target.name: target for target in TARGETS}
    found = 0
    for path in paths:
        outcome = known[path.parent.name].run(path.read_bytes(), scratch / "replay")
        found += outcome.ended == "found"
        print(f"{path.parent.name}/{path.name}: {outcome.ended} {outcome.kind} {outcome.what[:300]}")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", nargs="*", default=[], help="targets whose names contain one of these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--replay", nargs="*", type=Path)
    return parser.parse_args()


def main() -> None:
    """Run the command line; exits with 1 where something was found."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    limits.LARGEST_PLANE = SMALL_PLANE
    asked = _arguments()
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        if asked.replay is not None:
            sys.exit(1 if _replayed(asked.replay, scratch) else 0)
        chosen = [t for t in TARGETS if not asked.only or any(text in t.name for text in asked.only)]
        tallies = _all(chosen, asked, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _tell(tallies)
    sys.exit(1 if any(tally.findings for tally in tallies.values()) else 0)


def _all(chosen: list[Target], asked: argparse.Namespace, scratch: Path) -> dict[str, Tally]:
    """Each target for its share of the time, in rounds, so that a run that is stopped has seen all of them."""
    tallies = {target.name: Tally() for target in chosen}
    rng = random.Random(asked.seed)
    rounds = max(1, int(asked.minutes))
    for _ in range(rounds):
        for target in chosen:
            share_s = asked.minutes * 60 / rounds / len(chosen)
            fuzz(target, share_s, rng, scratch, asked.keep, tallies[target.name])
            if asked.out is not None:
                _write(tallies, asked)
    return tallies


def _tell(tallies: dict[str, Tally]) -> None:
    for name, tally in tallies.items():
        print(f"{name:28s} {json.dumps(tally.to_json())}")
    print(f"{_executions(tallies)} inputs, {sum(len(tally.findings) for tally in tallies.values())} findings")


def _executions(tallies: dict[str, Tally]) -> int:
    return sum(sum(tally.ended.values()) for tally in tallies.values())


def _write(tallies: dict[str, Tally], asked: argparse.Namespace) -> None:
    """What has become of the inputs so far, for a run that is stopped."""
    told = {
        "command": " ".join(
            ["python -m fuzz", f"--minutes {asked.minutes:g}", f"--seed {asked.seed}"]
            + (["--only", *asked.only] if asked.only else [])
        ),
        "date": datetime.now(UTC).date().isoformat(),
        "executions": _executions(tallies),
        "findings": sum(len(tally.findings) for tally in tallies.values()),
        "seconds": round(sum(tally.seconds for tally in tallies.values())),
        "targets": {name: tally.to_json() for name, tally in tallies.items() if tally.ended},
    }
    asked.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
