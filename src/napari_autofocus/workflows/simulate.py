"""Z-stacks of a simulated slide, written to files with their true best focus: for training, teaching and tests.

The truth is the optics' own (see :mod:`napari_autofocus.simulation.imaging`), not a measure's, and it never sits at the
same plane: each field's best focus lies at a random drive position, between planes.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.io.care.limits import is_plain_name
from napari_autofocus.io.writing import replacing
from napari_autofocus.plain_json import UNUSABLE, read_plain_json
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.reports.tables import write_table
from napari_autofocus.workflows.simulation_settings import SimulationSettings

LABELS = "labels.csv"
SETTINGS = "simulation.json"
SLIDE_UM = 5000.0
"""Fields lie within this distance of the slide's centre, along x and along y."""
OFFSET_SHARE = 0.2
"""Best focus of a field lies within this share of the range from the middle of the stack."""
_LABEL_COLUMNS = {"path": str, "best_z_um": float}


@dataclass(frozen=True)
class SimulatedStack:
    """A stack that was written, and its truth.

    Parameters
    ----------
    path : Path
        The file.
    best_z_um : float
        Drive position of best focus: the median over the field's content, µm.
    spread_um : float
        10th to 90th percentile of best focus over the field's content, µm.
    content : float
        Share of the field that carries stain or signal.
    x_um, y_um : float
        Where on the slide the field lies.
    """

    path: Path
    best_z_um: float
    spread_um: float
    content: float
    x_um: float
    y_um: float


@dataclass(frozen=True)
class PlaneRendered:
    """Progress: plane ``plane`` of ``planes`` of field ``field`` of ``fields``, all counted from 1."""

    field: int
    fields: int
    plane: int
    planes: int


def simulate_stacks(
    settings: SimulationSettings, folder: Path, *, overwrite: bool = False
) -> Generator[PlaneRendered, None, tuple[SimulatedStack, ...]]:
    """Write OME-TIFF z-stacks, their truth (``labels.csv``) and the settings (``simulation.json``).

    Closing the generator early, or any failure, removes the stacks that were written; ``labels.csv`` comes last.

    Parameters
    ----------
    settings : SimulationSettings
        What to simulate.
    folder : Path
        Made if need be.
    overwrite : bool
        Replace an earlier simulation in that folder. Files that are not a simulation's are never removed.

    Yields
    ------
    PlaneRendered
        After each plane.

    Returns
    -------
    tuple of SimulatedStack

    Raises
    ------
    InputError
        If the folder is not empty (and not an earlier simulation to be overwritten), or the settings make no scene.
    """
    scene = settings.scene()
    is_new = not folder.exists()
    prepare_folder(folder, overwrite=overwrite)
    written: list[SimulatedStack] = []
    finished = False
    try:
        for field in range(settings.fields):
            written.append((yield from _simulate_field(scene, settings, folder, field)))
        _write_settings(folder / SETTINGS, settings, scene, written)
        rows = [{"path": stack.path.name, "best_z_um": stack.best_z_um} for stack in written]
        write_table(folder / LABELS, rows, _LABEL_COLUMNS)
        finished = True
    finally:
        if not finished:
            _remove(folder, [stack.path.name for stack in written])
            if is_new:
                folder.rmdir()
    return tuple(written)


def _simulate_field(
    scene: Scene, settings: SimulationSettings, folder: Path, number: int
) -> Generator[PlaneRendered, None, SimulatedStack]:
    rng = settings.rng(number)
    x_um, y_um = (float(place) for place in rng.uniform(-SLIDE_UM, SLIDE_UM, 2))
    best_z_um = round(float(rng.uniform(-OFFSET_SHARE, OFFSET_SHARE) * settings.range_um), 4)
    z_um = settings.z_um(number)
    reference_um = scene.best_focus_um(x_um, y_um)
    axial_um = reference_um + settings.focus_direction * (z_um - best_z_um)
    planes = []
    for image in scene.stack(x_um, y_um, axial_um, rng):
        planes.append(image)
        yield PlaneRendered(number + 1, settings.fields, len(planes), len(z_um))
    path = folder / f"{settings.stain}_{settings.density}_{number:04d}.ome.tif"
    facts: dict[str, Any] = {"objective": settings.objective, "focus_direction": settings.focus_direction}
    write_stack(path, ZStack(np.stack(planes), z_um, scene.pixel_size_um, str(path), **facts))
    return SimulatedStack(path, best_z_um, *_truth_of_field(scene, x_um, y_um), x_um, y_um)


def _truth_of_field(scene: Scene, x_um: float, y_um: float) -> tuple[float, float]:
    """10th to 90th percentile of best focus over the field's content, µm, and the share of the field that has any."""
    content = has_content(scene.content_at(x_um, y_um))
    focus_um = scene.best_focus_map(x_um, y_um)
    low, high = np.percentile(focus_um[content] if content.any() else focus_um, (10, 90))
    return float(high - low), float(content.mean())


def _write_settings(path: Path, settings: SimulationSettings, scene: Scene, stacks: Sequence[SimulatedStack]) -> None:
    record: dict[str, Any] = {
        "made_by": f"napari-autofocus {__version__}",
        "settings": {**asdict(settings), "objective": settings.objective.name},
        "pixel_size_um": scene.pixel_size_um,
        "dof_um": settings.objective.dof_um,
        "stacks": [{**asdict(stack), "path": stack.path.name} for stack in stacks],
    }
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the folder; refuse one that holds anything, unless it is an earlier simulation to be overwritten."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder; name a folder for the stacks.")
    if folder.is_dir() and any(folder.iterdir()):
        if not overwrite:
            raise InputError(f"The folder {folder} is not empty; name another, or allow it with --overwrite.")
        _remove(folder, _earlier_stacks(folder))
    folder.mkdir(parents=True, exist_ok=True)


def _earlier_stacks(folder: Path) -> list[str]:
    """Names of the stacks of the simulation that this folder holds."""
    try:
        record = read_plain_json((folder / SETTINGS).read_text(encoding="utf-8"))
        names = [Path(stack["path"]).name for stack in record["stacks"]]
        if not all(is_plain_name(name) for name in names):
            raise ValueError("it names files elsewhere")
        return names
    except (OSError, *UNUSABLE) as error:
        raise InputError(
            f"The folder {folder} holds files but no readable {SETTINGS} of an earlier simulation; nothing was"
            " overwritten: name another folder."
        ) from error


def _remove(folder: Path, stacks: Sequence[str]) -> None:
    """Remove a simulation's own files, the truth first."""
    for name in [LABELS, SETTINGS, *stacks]:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{folder / name} cannot be removed ({error.strerror}); name another folder.") from error
