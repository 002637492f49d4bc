"""Z-stacks with known focus, from a folder of files: what is evaluated on, and what users' models learn from.

Where best focus lies is taken from a label store or a table (``labelled/labels.py``), otherwise measured by Brenner.
Stacks that cannot be read, or whose focus nobody can be sure of, are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.zstack import FocusSettings, StackFocus, ZStack, measure_stack
from napari_autofocus.io import check_opening, find_stacks, open_stack
from napari_autofocus.models.evaluation import KnownFrame
from napari_autofocus.models.labelled.labels import FieldLabel, StackLabels
from napari_autofocus.models.labelled.patches import PatchLabel, patch_labels
from napari_autofocus.models.labelled.records import LabelledDataset, LabelledStack, PlaneRead, StackSkipped
from napari_autofocus.optics import Objective
from napari_autofocus.steps import relay

__all__ = [
    "LabelledDataset",
    "LabelledStack",
    "Measurer",
    "PatchLabel",
    "PlaneRead",
    "ReadingSettings",
    "StackSkipped",
    "count_frames",
    "known_frames",
    "optics_of",
    "read_dataset",
]


@dataclass(frozen=True)
class ReadingSettings:
    """How the stacks of a data set are opened and measured.

    Parameters
    ----------
    patches : bool
        Whether patches are wanted too: every stack is then measured, labelled or not.
    patch_px, stride_px : int
        The grid of patches.
    step_um : float or None
        Distance of the planes, µm, for files that do not state their z.
    channel : int, str or None
        Which channel of a stack with several.
    focus_direction : {1, -1} or None
        +1 if a growing z in the files brings sample and objective together; None leaves it as the files say.
    """

    patches: bool = False
    patch_px: int = 128
    stride_px: int = 64
    step_um: float | None = None
    channel: int | str | None = None
    focus_direction: int | None = None

    def __post_init__(self) -> None:
        check_opening(self.step_um, self.focus_direction)

    @property
    def focus(self) -> FocusSettings:
        """How the stacks are measured."""
        if not self.patches:
            return FocusSettings()
        return FocusSettings(patch_px=self.patch_px, stride_px=self.stride_px)


Measurer = Callable[[Sequence[Path], ReadingSettings], Generator[PlaneRead, None, dict[Path, StackFocus | str]]]
"""Measures stacks, and returns what was found in each, or the reason why it cannot be measured, a sentence."""


def read_dataset(
    folder: Path, settings: ReadingSettings | None = None, *, measure: Measurer | None = None
) -> Generator[PlaneRead | LabelledStack | StackSkipped, None, LabelledDataset]:
    """Find the stacks of a data set and where each is in focus; their planes stay in the files.

    Parameters
    ----------
    folder : Path
        A folder of stacks in any readable form, or a single one.
    settings : ReadingSettings, optional
        How to open and measure them.
    measure : Measurer, optional
        Measures all stacks that need it before the first is told, on several workers, say; by default they are
        measured here, one after the other.

    Yields
    ------
    PlaneRead, LabelledStack or StackSkipped
        As work proceeds.

    Returns
    -------
    LabelledDataset

    Raises
    ------
    InputError
        If there is no stack, or labels that are there cannot be read.
    """
    settings = settings or ReadingSettings()
    paths = find_stacks([folder])
    labels = StackLabels(folder if folder not in paths and folder.is_dir() else folder.parent)
    known: dict[Path, StackFocus | str] = {}
    if measure is not None:
        known = yield from measure([path for path in paths if _to_measure(labels.field(path), settings)], settings)
    stacks: list[LabelledStack] = []
    skipped: list[StackSkipped] = []
    for number, path in enumerate(paths, 1):
        try:
            found = yield from _read_one(path, labels, settings, (number, len(paths)), known.get(path))
        except _UnreadableStack as error:
            found = StackSkipped(str(path), str(error), "unreadable")
        if isinstance(found, LabelledStack):
            stacks.append(found)
        else:
            skipped.append(found)
        yield found
    return LabelledDataset(tuple(stacks), tuple(skipped), labels.without_stack(paths))


class _UnreadableStack(AutofocusError):
    """The stack's own file is to blame, not a table of labels beside it."""


def _to_measure(said: FieldLabel | None, settings: ReadingSettings) -> bool:
    return said is None or (settings.patches and not said.set_aside)


def _read_one(
    path: Path,
    labels: StackLabels,
    settings: ReadingSettings,
    place: tuple[int, int],
    known: StackFocus | str | None,
) -> Generator[PlaneRead, None, LabelledStack | StackSkipped]:
    said, facts, of_patches = labels.field(path), labels.facts(path), labels.patches(path)
    if said is not None and said.set_aside:
        return StackSkipped(str(path), f"{path} {said.set_aside}.", "untrusted")
    if isinstance(known, str):
        raise _UnreadableStack(known)
    focus: StackFocus | None = known
    try:
        stack = _open(path, settings)
        if focus is None and _to_measure(said, settings):
            focus = yield from _measured(path, stack, settings, place)
    except (AutofocusError, OSError) as error:
        raise _UnreadableStack(str(error)) from error
    measured_um = focus.best_z_um if focus is not None else None
    best_z_um = said.best_z_um if said is not None else measured_um
    if best_z_um is None:
        reasons = " ".join(focus.field.reasons) if focus else ""
        return StackSkipped(str(path), f"{path}: its focus cannot be trusted. {reasons}".strip(), "untrusted")
    return LabelledStack(
        path=path,
        stack=stack,
        best_z_um=best_z_um,
        how=said.how if said is not None else "Brenner",
        slide=facts.slide or str(path),
        stain=facts.stain,
        density=facts.density,
        focus=focus,
        patches=patch_labels(focus, of_patches) if focus is not None and settings.patches else (),
    )


def _open(path: Path, settings: ReadingSettings) -> ZStack:
    return open_stack(
        path, step_um=settings.step_um, channel=settings.channel, focus_direction=settings.focus_direction
    )


def _measured(
    path: Path, stack: ZStack, settings: ReadingSettings, place: tuple[int, int]
) -> Generator[PlaneRead, None, StackFocus]:
    measuring = measure_stack(stack, settings.focus)
    return relay(measuring, lambda plane: PlaneRead(str(path), *place, plane.done, plane.total))


def known_frames(
    dataset: LabelledDataset,
    range_um: float,
    *,
    lens: Objective | None = None,
    pixel_size_um: float | None = None,
    on_skip: Callable[[StackSkipped], None] | None = None,
) -> Iterator[KnownFrame]:
    """Every plane of every stack that lies within ±range, as a frame whose defocus is known; read one at a time.

    Parameters
    ----------
    dataset : LabelledDataset
        What :func:`read_dataset` found.
    range_um : float
        Planes farther from best focus are left out, µm.
    lens : Objective, optional
        The objective, in place of what the files say; its camera pixel does not count.
    pixel_size_um : float, optional
        Size of a pixel in the sample, µm, in place of what the files say.
    on_skip : callable, optional
        Told of a stack whose planes turn out to be bad; without it that is an error.
    """
    for labelled in dataset.stacks:
        optics = optics_of(labelled.stack, lens=lens, pixel_size_um=pixel_size_um)
        for index in np.flatnonzero(np.abs(labelled.defocus_um) <= range_um):
            try:
                image = labelled.stack.plane(int(index))
            except (AutofocusError, OSError) as error:
                if on_skip is None:
                    raise
                on_skip(StackSkipped(str(labelled.path), str(error), "unreadable"))
                break
            yield KnownFrame(
                image=image,
                true_um=float(labelled.defocus_um[index]),
                source=str(labelled.path),
                slide=labelled.slide,
                stain=labelled.stain,
                density=labelled.density,
                optics=optics,
            )


def count_frames(dataset: LabelledDataset, range_um: float) -> int:
    """How many frames :func:`known_frames` will give, if none turns out to be bad."""
    return sum(int(np.count_nonzero(np.abs(stack.defocus_um) <= range_um)) for stack in dataset.stacks)


def optics_of(stack: ZStack, *, lens: Objective | None = None, pixel_size_um: float | None = None) -> ImageOptics:
    """How a stack was taken: as said, otherwise as its file says; unknown where objective or pixel size is missing."""
    objective, pixel_um = lens or stack.objective, pixel_size_um or stack.pixel_size_um
    if objective is None or pixel_um is None:
        return ImageOptics(None)
    return ImageOptics(objective.with_pixel_size(pixel_um))
