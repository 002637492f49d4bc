"""The fault campaign: something goes wrong at a random step of a routine, and the hardware's own log is the judge.

    python benchmarks/faults.py [--runs 2000] [--seed 0] [--jobs 1] [--only "survey"] [--out FILE]

Every routine that moves something runs on a small simulated microscope whose camera, stage, slide and lens fail in the
ways of ``fault_kinds.py``, once, twice or for good; files and processes fail in the ways of ``fault_software.py``. What
is held against a run is in ``fault_verdicts.py``. Writes ``results/faults.json``: how often each routine met each
fault, how it ended, and every violation. A campaign that was stopped goes on where it was, but for runs of another
state of the code, which are made anew; ends with 1 on a violation.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fault_kinds import KINDS
from fault_routines import ROUTINES
from fault_run import Row, applies, run
from fault_software import SOFTWARE, run_software

RESULTS = Path(__file__).parent / "results" / "faults.json"
COSTLY = {
    "survey by z-stacks": 0.4,
    "lens calibration": 0.3,
    "acquire stacks": 0.3,
    "virtual scan": 0.4,
    "MDA": 0.4,
    "calibrate": 0.2,
}
"""Share of the rounds that routines take part in whose runs take seconds."""
Task = tuple[str, str, int]


def tasks(runs: int, only: str = "") -> list[Task]:
    """Every run of a campaign: routine, fault and number, so many in all or a few more.

    Round by round, so that a campaign that is stopped has met every fault.
    """
    hardware = [(name, kind) for name in ROUTINES for kind in KINDS if only in name and applies(name, kind)]
    software = [(name, kind) for (name, kind) in SOFTWARE if only in name]
    a_round = sum(COSTLY.get(name, 1.0) for name, _ in hardware) + sum(SOFTWARE[each].share for each in software)
    rounds = math.ceil(runs / a_round) if a_round else 0
    shares = {pair: COSTLY.get(pair[0], 1.0) for pair in hardware} | {pair: SOFTWARE[pair].share for pair in software}
    return [
        (*pair, number)
        for number in range(rounds)
        for pair, share in shares.items()
        if number < max(1, round(share * rounds))
    ]


def state_of_code() -> str:
    """The commit that runs, and whether the files differ from it."""
    asked = ["git", "describe", "--always", "--abbrev=12", "--dirty=, changed", "--exclude=*"]
    told = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


def carried_out(wanted: list[Task], seed: int, log: Path | None = None, code: str = "", jobs: int = 1) -> Iterator[Row]:
    """The rows of every task; those of this code in the log are taken from there, new ones are added to it."""
    known = {(row.routine, row.kind, row.number): row for row in _read(log, code)}
    yield from (known[task] for task in wanted if task in known)
    for row in _made([task for task in wanted if task not in known], seed, jobs):
        if log is not None:
            with log.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"code": code, **row.to_json()}) + "\n")
        yield row


def _made(wanted: list[Task], seed: int, jobs: int) -> Iterator[Row]:
    """New rows, one after the other, or side by side in processes of their own."""
    if jobs == 1:
        yield from (one(*task, seed) for task in wanted)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from (made.result() for made in as_completed([pool.submit(one, *task, seed) for task in wanted]))


def one(name: str, kind: str, number: int, seed: int) -> Row:
    """A single run."""
    return (run_software if (name, kind) in SOFTWARE else run)(name, kind, number, seed)


def _read(log: Path | None, code: str) -> Iterator[Row]:
    if log is None or not log.exists():
        return
    for line in log.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        if values.pop("code") == code:
            yield Row(**{**values, "violations": tuple(values["violations"])})


def table(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """Routine by fault: runs, in how many it struck, how they ended, violations."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        cell = found.setdefault(row.routine, {}).setdefault(
            row.kind, {"runs": 0, "struck": 0, "outcomes": Counter(), "violations": 0}
        )
        cell["runs"] += 1
        cell["struck"] += row.struck
        cell["outcomes"][row.outcome] += 1
        cell["violations"] += len(row.violations)
    return found


def summary(rows: list[Row], seed: int, code: str = "") -> dict[str, Any]:
    """What is kept of a campaign."""
    slowest = max(rows, key=lambda row: row.seconds)
    return {
        "date": datetime.date.today().isoformat(),
        "command": f"python benchmarks/faults.py --seed {seed}",
        "commit": code,
        "seed": seed,
        "runs": len(rows),
        "struck": sum(row.struck for row in rows),
        "kills": sum(row.times for row in rows if row.kind == "process killed" and row.struck),
        "windows": sum(row.kind == "window closed" for row in rows),
        "outcomes": dict(Counter(row.outcome for row in rows).most_common()),
        "violations": [
            {"routine": row.routine, "kind": row.kind, "number": row.number, "at": row.at, "what": each}
            for row in rows
            for each in row.violations
        ],
        "seconds": round(sum(row.seconds for row in rows), 1),
        "slowest": {"routine": slowest.routine, "kind": slowest.kind, "seconds": slowest.seconds},
        "table": table(rows),
    }


def print_table(found: dict[str, Any], say: Callable[[str], None] = print) -> None:
    """One line a routine, and every violation."""
    say(f"{'routine':22} {'runs':>5} {'struck':>6} {'violations':>10}  how they ended")
    for name, kinds in found["table"].items():
        runs, struck, broken = (sum(cell[key] for cell in kinds.values()) for key in ("runs", "struck", "violations"))
        say(f"{name:22} {runs:5} {struck:6} {broken:10}  {_ends(kinds)}")
    for each in found["violations"]:
        say(f"VIOLATION {each['routine']} / {each['kind']} #{each['number']}: {each['what']}")
    say(f"{found['runs']} runs, {len(found['violations'])} violations, {found['seconds']} s")


def markdown(found: dict[str, Any]) -> list[str]:
    """The lines of the table in ``docs/faults.md``."""
    lines = ["| routine | runs | the fault struck | how they ended | violations |", "| --- | --- | --- | --- | --- |"]
    for name, kinds in found["table"].items():
        runs, struck, broken = (sum(cell[key] for cell in kinds.values()) for key in ("runs", "struck", "violations"))
        lines.append(f"| {name} | {runs} | {struck} | {_ends(kinds)} | {broken} |")
    totals = f"**{found['runs']}** | **{found['struck']}** | | **{len(found['violations'])}**"
    return [*lines, f"| **all** | {totals} |"]


def _ends(kinds: dict[str, Any]) -> str:
    """How the runs of a routine ended, the most frequent end first."""
    ends: Counter[str] = sum((Counter(cell["outcomes"]) for cell in kinds.values()), Counter())
    return ", ".join(f"{word} {count}" for word, count in ends.most_common())


def main() -> int:
    """Run the campaign, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes that work side by side")
    parser.add_argument("--only", default="", help="part of a routine's name")
    parser.add_argument("--out", type=Path, default=RESULTS)
    wanted = parser.parse_args()
    log = wanted.out.with_suffix(f".{wanted.seed}.rows.jsonl")
    code = state_of_code()
    asked, rows, said_s = tasks(wanted.runs, wanted.only), list[Row](), time.monotonic()
    for row in carried_out(asked, wanted.seed, log, code, wanted.jobs):
        rows.append(row)
        for each in row.violations:
            print(f"VIOLATION {row.routine} / {row.kind} #{row.number}: {each}", file=sys.stderr)
        if time.monotonic() - said_s > 30:
            said_s = time.monotonic()
            print(f"{len(rows)} of {len(asked)} runs", file=sys.stderr)
    order = {task: place for place, task in enumerate(asked)}
    rows.sort(key=lambda row: order[row.routine, row.kind, row.number])
    found = summary(rows, wanted.seed, code)
    wanted.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    log.unlink(missing_ok=True)
    print_table(found)
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
