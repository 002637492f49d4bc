"""Asks the methods of ``densities.py`` about its fields and keeps the answers on disk, a line a field."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2

from density_fields import Ground
from density_methods import Ask, Together, Told
from density_rows import Answers


@dataclass(frozen=True)
class Plan:
    """How methods are asked.

    Parameters
    ----------
    draws : int
        Starts of each field.
    work : Path
        Where answers are kept.
    workers : int
        Processes side by side.
    minutes : float or None
        After which no field is begun.
    """

    draws: int
    work: Path
    workers: int = 1
    minutes: float | None = None


class Worker:
    """One process's methods; loaded when the process starts."""

    ask: Ask

    @classmethod
    def start(cls, together: Together) -> None:
        cv2.setNumThreads(1)
        cls.ask = staticmethod(together.begin())


def ask_worker(ground: Ground, draws: int) -> Told:
    """The answers of a worker's methods about one field."""
    return Worker.ask(ground, draws)


def answers_of(together: Together, grounds: list[Ground], plan: Plan) -> Answers:
    """By group and method: the answers about all fields, from the work folder or given now.

    Parameters
    ----------
    together : Together
        Who is asked.
    grounds : list of Ground
        About what.
    plan : Plan
        How.
    """
    plan.work.mkdir(parents=True, exist_ok=True)
    file = plan.work / f"{together.kept_as}.jsonl"
    done = {ground: told for ground, told in _kept(file) if all(len(rows) >= plan.draws for rows in told.values())}
    for ground, told in _asked(together, [ground for ground in grounds if ground not in done], plan):
        done[ground] = told
        line = json.dumps({"group": ground.group, "number": ground.number, "told": told}, allow_nan=False)
        with file.open("a", encoding="utf-8") as kept:
            kept.write(line + "\n")
    answers: Answers = {}
    for ground in grounds:
        for method, rows in done.get(ground, {}).items():
            answers.setdefault((ground.group, method), []).extend(rows[: plan.draws])
    return answers


def _kept(file: Path) -> Iterator[tuple[Ground, Told]]:
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            found = json.loads(line)
        except ValueError:
            continue  # cut short when the run was killed; that field is done again
        yield Ground(found["group"], found["number"]), found["told"]


def _asked(together: Together, missing: list[Ground], plan: Plan) -> Iterator[tuple[Ground, Told]]:
    """Each field as it is done; none is begun after the time is up."""
    if not missing:
        return
    begun, waiting, finished = time.monotonic(), iter(missing), 0
    running: dict[Future[Told], Ground] = {}
    with ProcessPoolExecutor(plan.workers, get_context("spawn"), Worker.start, (together,)) as pool:
        while True:
            in_time = plan.minutes is None or time.monotonic() - begun < 60 * plan.minutes
            while in_time and len(running) < plan.workers and (ground := next(waiting, None)) is not None:
                running[pool.submit(ask_worker, ground, plan.draws)] = ground
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                finished += 1
                yield running.pop(future), future.result()
            left_min = (time.monotonic() - begun) / finished * (len(missing) - finished) / 60
            told = f"{together.methods[0]} …: {finished} of {len(missing)} fields, {left_min:.0f} min left "
            print(f"\r{told}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
