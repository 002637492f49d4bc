"""What focuses in tests of acquisitions, without a model and without looking."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from napari_autofocus.errors import HardwareError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.workflows.mda import MdaFinder, model_finder
from truthful_model import TruthfulModel

Says = Callable[[int], float | str | None]
"""By the number of the attempt: how far to move, µm; None for nothing found; a str for a failing device."""


def scripted_finder(says: Says) -> MdaFinder:
    """Moves by what it is told and calls that the focus."""
    asked: list[float] = []

    def find(microscope: Microscope) -> Generator[Any, None, SweepRecord]:
        start_um = microscope.focus.position_um()
        asked.append(start_um)
        told = says(len(asked) - 1)
        yield microscope.snap()
        if isinstance(told, str):
            raise HardwareError(told)
        if told is not None:
            microscope.focus.move_to(start_um + told)
        here_um = microscope.focus.position_um()
        outcome: Any = "focused" if told is not None else "reverted"
        found_um = here_um if told is not None else None
        reason = "As told." if told is not None else "No peak."
        return SweepRecord("told", outcome, start_um, here_um, found_um, 0.1, "peak", (reason,), 1, 1, 0.1)

    return MdaFinder("told", "", find)


def truthful_finder(rig: SimulatedRig, **settings: Any) -> MdaFinder:
    """A model that knows the true defocus of a rig."""
    optics = ImageOptics(Objective.parse("20x/0.75", pixel_size_um=0.325))
    return model_finder(TruthfulModel(rig), RefocusConfig(**{"optics": optics, **settings}))
