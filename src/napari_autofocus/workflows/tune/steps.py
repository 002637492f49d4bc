"""What tuning tells while it runs, and what it remembers of the population between two starts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, remove_unfinished, replacing
from napari_autofocus.workflows.tune.plan import Start

_POPULATION = "population.json"


@dataclass(frozen=True)
class PopulationBegins:
    """Progress: so many generations are over, and the population goes on; starting the engine takes a while."""

    begun: int
    generations: int
    population: int


@dataclass(frozen=True)
class MemberLearns:
    """Progress: a member was shown so many patches of its generation, and has this running loss.

    Parameters
    ----------
    done : float
        Share of all the teaching of all members that is over, in [0, 1].
    """

    member: int
    generation: int
    samples: int
    loss: float | None
    done: float


@dataclass(frozen=True)
class GenerationEnded:
    """A member has ended a generation, with this mean error on the slides that choose; or failed, and why."""

    member: int
    generation: int
    score_um: float
    failed: str | None = None


@dataclass(frozen=True)
class TakenOver:
    """After a generation a member took over weights and settings of a better one, and varied the settings."""

    generation: int
    start: Start


TuningStep = PopulationBegins | MemberLearns | GenerationEnded | TakenOver


def keep_starts(work: Path, ended: int, starts: Sequence[Start]) -> None:
    """Remember how each member begins the generation after those that ended."""
    make_folder(work)
    ordered = sorted(starts, key=lambda start: start.member)
    with replacing(work / _POPULATION) as unfinished:
        told = {"ended": ended, "starts": [start.to_json() for start in ordered]}
        unfinished.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def kept_starts(work: Path) -> tuple[int, tuple[Start, ...]] | None:
    """How many generations were over, and how each member begins the next one; None where nothing is kept.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    path = work / _POPULATION
    remove_unfinished(path)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return int(told["ended"]), tuple(Start.from_json(start) for start in told["starts"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read ({error}); delete {work} to begin anew.") from error
