"""A z-stack whose best focus is known, and a data set of them: what ``labelled_stacks.py`` reads from files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import StackFocus, ZStack
from napari_autofocus.models.labelled.labels import HowLabelled
from napari_autofocus.models.labelled.patches import PatchLabel
from napari_autofocus.models.samples import FieldSample, FloatArray


@dataclass(frozen=True, eq=False)
class LabelledStack:
    """A z-stack whose best focus is known.

    Parameters
    ----------
    path : Path
        Where it lies.
    stack : ZStack
        Its planes, read when asked for.
    best_z_um : float
        Drive position of best focus of the field, µm.
    how : str
        Who says so: ``label store``, ``table`` or ``Brenner``.
    slide : str
        Fields of one slide stay together when data are split. Where nobody names slides, every stack counts as one.
    stain, density : str or None
        None where nobody says it.
    focus : StackFocus or None
        What was measured; None where the label sufficed.
    patches : tuple of PatchLabel
        Row by row; empty unless asked for.
    """

    path: Path
    stack: ZStack
    best_z_um: float
    how: HowLabelled
    slide: str
    stain: str | None = None
    density: str | None = None
    focus: StackFocus | None = None
    patches: tuple[PatchLabel, ...] = ()

    @property
    def defocus_um(self) -> FloatArray:
        """Defocus of the field in each plane, µm, shape (Z,); positive: sample and objective are too close."""
        return np.asarray(self.stack.focus_direction * (self.stack.z_um - self.best_z_um), np.float32)

    def sample(self, range_um: float, *, signed: bool = True) -> FieldSample:
        """The stack as training takes it: its planes within ±range, with the defocus of each patch.

        Parameters
        ----------
        range_um : float
            Planes farther from the field's best focus are left out, µm.
        signed : bool
            False for even optics, which show no direction.

        Raises
        ------
        InputError
            If patches were not asked for when the stack was read, or no plane lies in range.
        """
        planes = np.flatnonzero(np.abs(self.defocus_um) <= range_um)
        if self.focus is None or not self.patches:
            raise InputError(f"{self.path} was read without its patches; read the data set with patches=True.")
        if planes.size == 0:
            raise InputError(
                f"{self.path} has no plane within {range_um:g} µm of best focus; take planes nearer to it."
            )
        grid = self.focus.grid
        best = np.array([np.nan if p.best_z_um is None else p.best_z_um for p in self.patches]).reshape(grid.shape)
        away = self.stack.focus_direction * (self.stack.z_um[planes, None, None] - best)
        return FieldSample(
            frames=tuple(self.stack.plane(int(index)) for index in planes),
            grid=grid,
            defocus_um=np.asarray(away, np.float32),
            importance=np.array([p.importance for p in self.patches], np.float32).reshape(grid.shape),
            signed=signed,
            slide=self.slide,
            stain=self.stain or "",
            density=self.density or "",
        )


@dataclass(frozen=True)
class StackSkipped:
    """A stack that was left out; ``reason`` is a sentence.

    Parameters
    ----------
    kind : {'unreadable', 'untrusted', 'unpaired'}
        Whether its file is bad, its focus is not known well enough, or its planes do not lie as far apart as wanted.
    """

    path: str
    reason: str
    kind: Literal["unreadable", "untrusted", "unpaired"]


@dataclass(frozen=True)
class PlaneRead:
    """Progress: plane ``plane`` of ``planes`` of stack ``stack`` of ``stacks``, all counted from 1."""

    path: str
    stack: int
    stacks: int
    plane: int
    planes: int


@dataclass(frozen=True, eq=False)
class LabelledDataset:
    """All stacks of a folder whose focus is known, and those left out.

    Parameters
    ----------
    without_stack : tuple of str
        Rows of the tables of labels for which there is no stack.
    """

    stacks: tuple[LabelledStack, ...]
    skipped: tuple[StackSkipped, ...]
    without_stack: tuple[str, ...] = ()

    @property
    def how_labelled(self) -> dict[str, int]:
        """Number of stacks by who says where they are in focus."""
        return dict(Counter(stack.how for stack in self.stacks))
