"""A writer that keeps stacks in memory, and a finder, for tests of acquisitions."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from napari_autofocus.microscope.protocol import Frame, Microscope
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.acquire import FieldPlan
from napari_autofocus.routines.sweep import SweepConfig, sweep


class MemorySink:
    """Fulfils FieldSink."""

    def __init__(self, plan: FieldPlan, writer: MemoryWriter) -> None:
        self.plan, self._writer = plan, writer
        self.planes: dict[int, Frame] = {}

    def add(self, plane: int, frame: Frame) -> None:
        self._writer.before_plane(plane)
        self._writer.planes_taken += 1
        self.planes[plane] = frame

    def keep(self) -> str:
        self._writer.kept.append(self)
        return f"field_{self.plan.number}"

    def drop(self) -> None:
        self._writer.dropped.append(self)


class MemoryWriter:
    """Fulfils StackWriter."""

    def __init__(self) -> None:
        self.kept: list[MemorySink] = []
        self.dropped: list[MemorySink] = []
        self.planes_taken = 0
        self.before_plane: Callable[[int], None] = lambda plane: None

    def __call__(self, plan: FieldPlan) -> MemorySink:
        return MemorySink(plan, self)


def sweeping(microscope: Microscope) -> Generator[Any, None, SweepRecord]:
    """A finder: a coarse sweep over ±6 µm."""
    return sweep(microscope, SweepConfig(range_um=6.0, dof_um=1.0))
