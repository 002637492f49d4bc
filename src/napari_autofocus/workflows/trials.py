"""Try a focusing routine many times on a simulated microscope, where the true defocus is known before and after.

Each trial goes to a random field and a random defocus, runs the routine, and compares. Nothing here depends on which
routine is tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from napari_autofocus.microscope.protocol import Microscope, walk_to
from napari_autofocus.records import FocusRecord
from napari_autofocus.steps import relay

FIELDS_WITHIN_UM = 5000.0
"""Fields are drawn from the square of twice this side around the middle of the slide."""
PLACES_TRIED = 200
"""A field that does not serve is drawn again, so often at most; the last one is then taken as it is."""

Result = TypeVar("Result")
Place = tuple[float, float]


class MovableMicroscope(Microscope, Protocol):
    """A microscope whose slide can be moved."""

    def move_xy_to(self, x_um: float, y_um: float) -> tuple[float, float]:
        """Bring a place of the slide under the objective."""


class TruthfulRig(Protocol):
    """A simulated microscope that tells the truth."""

    @property
    def microscope(self) -> MovableMicroscope:
        """What the routine gets."""

    def true_defocus_um(self) -> float:
        """True defocus now, µm."""


@dataclass(frozen=True)
class Trial(Generic[Result]):
    """One run with its truth.

    Parameters
    ----------
    x_um, y_um : float
        Where on the slide.
    start_um, end_um : float
        True defocus before and after, µm.
    record : Result
        What the routine itself knows.
    """

    x_um: float
    y_um: float
    start_um: float
    end_um: float
    record: Result


@dataclass(frozen=True)
class TrialStep:
    """Progress: which trial, and the routine's own progress record."""

    trial: int
    trials: int
    step: Any


def run_trials(
    rig: TruthfulRig,
    routine: Callable[[Microscope], Generator[Any, None, Result]],
    *,
    trials: int,
    focus_direction: int,
    rng: np.random.Generator,
    within_um: float = 10.0,
    serves: Callable[[Place], bool] = lambda _: True,
) -> Generator[TrialStep, None, list[Trial[Result]]]:
    """Run a routine from random starts.

    Parameters
    ----------
    rig : TruthfulRig
        The simulated microscope.
    routine : callable
        Makes the routine's generator from the microscope.
    trials : int
        How many.
    focus_direction : int
        Of the rig's drive, which may not tell it: +1 or −1.
    rng : np.random.Generator
        Draws fields and starts.
    within_um : float
        Starts are drawn evenly between minus and plus this true defocus, µm.
    serves : callable
        Whether the field at a place (x, y), µm, is one to try; otherwise another is drawn.

    Yields
    ------
    TrialStep
        After each step of the routine.

    Returns
    -------
    list of Trial
    """
    done = []
    for index in range(trials):
        x_um, y_um = rig.microscope.move_xy_to(*_draw_place(rng, serves))
        _defocus(rig, float(rng.uniform(-within_um, within_um)), focus_direction)
        start_um = rig.true_defocus_um()
        record = yield from relay(routine(rig.microscope), partial(TrialStep, index, trials))
        done.append(Trial(x_um, y_um, start_um, rig.true_defocus_um(), record))
    return done


def _draw_place(rng: np.random.Generator, serves: Callable[[Place], bool]) -> Place:
    for _ in range(PLACES_TRIED):
        x_um, y_um = rng.uniform(-FIELDS_WITHIN_UM, FIELDS_WITHIN_UM, 2)
        if serves((x_um, y_um)):
            break
    return x_um, y_um


def _defocus(rig: TruthfulRig, defocus_um: float, focus_direction: int) -> None:
    """Bring the field to a true defocus, as near as the limits of the drive allow."""
    drive = rig.microscope.focus
    low, high = drive.limits_um
    target = drive.position_um() + focus_direction * (defocus_um - rig.true_defocus_um())
    walk_to(drive, min(max(target, low), high))


def describe_run(
    record: FocusRecord, start_um: float | None = None, end_um: float | None = None, **slide: Any
) -> dict[str, Any]:
    """One run as the shell tells it; ``start_um`` and ``end_um``: true defocus, None where the truth is not known.

    ``slide`` is told with it: the stain and density of a simulated one.
    """
    told = asdict(record)
    told["start_z_um"], told["end_z_um"] = told.pop("start_um"), told.pop("end_um")
    for long in ("curve", "shots"):
        told.pop(long, None)
    return {"start_um": start_um, "end_um": end_um, **slide, **told}


def summarise(runs: Sequence[dict[str, Any]], dof_um: float | None) -> dict[str, Any]:
    """Totals over runs that :func:`describe_run` described; those that need the truth are None without it.

    Fields known to be empty have no focus to reach, so ``within_half_dof`` and the errors leave them out.
    """
    known = [run for run in runs if run["end_um"] is not None]
    losses = [abs(run["end_um"]) - abs(run["start_um"]) for run in known]
    ends = np.array([abs(run["end_um"]) for run in known if not _is_empty(run)])
    empty = [run for run in runs if _is_empty(run)]
    return {
        "runs": len(runs),
        "outcomes": dict(Counter(run["outcome"] for run in runs)),
        "dof_um": dof_um,
        "within_half_dof": float(np.mean(ends <= dof_um / 2)) if dof_um is not None and ends.size else None,
        "median_error_um": float(np.median(ends)) if ends.size else None,
        "largest_error_um": float(ends.max()) if ends.size else None,
        "ended_worse": sum(loss > 0 for loss in losses) if known else None,
        "largest_loss_um": max(0.0, *losses) if known else None,
        "empty_fields": len(empty),
        "empty_fields_moved": sum(run["moves"] > 0 for run in empty),
        **{f"mean_{name}": _mean(runs, name) for name in ("frames", "moves", "seconds")},
    }


def _is_empty(run: dict[str, Any]) -> bool:
    return run.get("density") == "empty"


def _mean(runs: Sequence[dict[str, Any]], name: str) -> float:
    return float(np.mean([run[name] for run in runs])) if runs else 0.0
