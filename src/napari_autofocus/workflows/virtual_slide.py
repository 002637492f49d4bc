"""A whole slide recovered from two: OME-Zarr in, OME-Zarr out, tile by tile, here or on dask's workers.

What is finished stays: a run that was stopped or killed goes on when it is started again. Until the slide is whole it
lies in a hidden folder beside its name, with a journal of its tiles. For the shell: call :func:`refocus_slide` when
both inputs are ``.zarr``, with what the user named of the model for workers in other processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.io.zarr import objective_to_json
from napari_autofocus.io.zarr_slide_writing import SlideCanvas, writing
from napari_autofocus.io.zarr_writing import flush_folder, flush_path
from napari_autofocus.workflows.spread import HERE, Unfinished, Waiting, Workers, spread
from napari_autofocus.workflows.virtual.slide_book import SlideBook, Tile
from napari_autofocus.workflows.virtual.slide_plan import (
    VIRTUAL,
    SlidePlan,
    SlideSettings,
    begin_folder,
    finished_facts,
    grid_of,
)
from napari_autofocus.workflows.virtual.slide_shifts import neighbours_of, settled
from napari_autofocus.workflows.virtual.slide_tiles import (
    UNCERTAINTY,
    UNCERTAINTY_FULL,
    UNCERTAINTY_TIMES,
    TileAnswer,
    TileJob,
    TileRefocuser,
    forget_slides,
    halve_one,
    refocus_on_worker,
    refocus_one,
    shift_of_tile,
)

__all__ = ["SlideSettings", "SlideStep", "VirtualSlide", "refocus_slide"]

REGISTER, RECOVER, PYRAMID = "register", "recover", "pyramid"


@dataclass(frozen=True)
class SlideStep:
    """Progress: so many of all tiles of a phase (``register``, ``recover``, ``pyramid``) are done.

    ``glass`` of them show nothing and were copied.
    """

    phase: str
    done: int
    total: int
    glass: int = 0


@dataclass(frozen=True)
class VirtualSlide:
    """A slide in focus that no camera took.

    Parameters
    ----------
    path : Path
        Where it lies.
    shape : tuple of int
        Height and width, px.
    tiles, glass : int
        Tiles in all, and those copied from the sharper shot because they show nothing.
    resumed : int
        Tiles that an earlier run had finished.
    shift_px : tuple of float
        Median (down, right) of the shifts of the second slide that were taken out, px.
    shifts_found : int
        Tiles that could tell their own shift.
    uncertainty : float
        Mean standard deviation of a pixel of the recovered tiles, as a share of full scale.
    doubtful : mapping
        Why not to trust tiles, by row and column.
    model : str
        What recovered it.
    warnings : tuple of str
        What it was made in spite of.
    seconds : float
        That this run took.
    """

    path: Path
    shape: tuple[int, int]
    tiles: int
    glass: int
    resumed: int
    shift_px: tuple[float, float]
    shifts_found: int
    uncertainty: float
    doubtful: Mapping[Tile, tuple[str, ...]]
    model: str
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


def refocus_slide(
    a: Path,
    b: Path,
    out: Path,
    refocuser: TileRefocuser,
    settings: SlideSettings | None = None,
    *,
    workers: Workers = HERE,
    model: str = "",
) -> Generator[SlideStep, None, VirtualSlide]:
    """Recover a slide in focus from two that were taken either side of it.

    Closing the generator stops it; the same call goes on later. A slide that the same call has finished is not made
    again.

    Parameters
    ----------
    a, b : Path
        OME-Zarr images of one shape and type; the result lies as the first does.
    out : Path
        Ends in ``.zarr``; a slide of another origin is not overwritten.
    refocuser : TileRefocuser
        What recovers tiles.
    settings : SlideSettings, optional
        How.
    workers : Workers
        Who works; by default this process, whose runtime uses all cores.
    model : str
        Name or file of the refocuser's model: needed where workers in other processes open it themselves.

    Yields
    ------
    SlideStep
        After each tile.

    Returns
    -------
    VirtualSlide

    Raises
    ------
    InputError
        If the slides cannot be read, do not fit each other or the model, or ``out`` cannot be written. Finished tiles
        stay.
    """
    begun = time.perf_counter()
    forget_slides()
    plan = SlidePlan.of(a, b, refocuser, settings or SlideSettings())
    work = _Work(plan, out, refocuser, workers, model)
    facts = finished_facts(out, plan)
    if facts is None:
        facts = yield from work.all_phases((str(a), str(b)))
    work.clear_away()
    return replace(work.told(facts), seconds=time.perf_counter() - begun)


class _Work:
    """One slide under way."""

    def __init__(self, plan: SlidePlan, out: Path, refocuser: TileRefocuser, workers: Workers, model: str) -> None:
        self._plan, self._out, self._refocuser, self._workers = plan, out, refocuser, workers
        self._model = str(Path(model).absolute()) if model and Path(model).exists() else model
        self._resumed = 0
        self._book: SlideBook | None = None

    def all_phases(self, named: tuple[str, str]) -> Generator[SlideStep, None, Mapping[str, Any]]:
        """From the first tile to the slide under its name; what is said of it is returned."""
        part, book = begin_folder(self._out, self._plan)
        self._book, self._resumed = book, len(book.done(RECOVER))
        jobs = self._jobs(part)
        if self._plan.settings.register:
            yield from self._phase(REGISTER, shift_of_tile, jobs, _shift_facts)
        found = {tile: facts["shift"] for tile, facts in book.done(REGISTER).items()}
        shifts = settled(found, self._plan.grid)
        here = partial(refocus_one, self._refocuser)
        jobs = {tile: replace(job, neighbours=neighbours_of(shifts, tile)) for tile, job in jobs.items()}
        yield from self._phase(RECOVER, here, jobs, _answer_facts, on_worker=refocus_on_worker)
        yield from self._pyramid(part, self._plan.settings.tile_px)
        yield from self._pyramid(part / UNCERTAINTY, self._plan.settings.tile_px >> UNCERTAINTY_TIMES)
        facts = self._facts(book, named, shifts, found)
        self._finish(part, facts)
        return facts

    def _jobs(self, part: Path) -> dict[Tile, TileJob]:
        plan, settings = self._plan, self._plan.settings
        shots = plan.first.path.absolute(), plan.second.path.absolute()
        common = {"bit_depth": plan.first.bit_depth, "model": self._model}
        tiles = [(int(row), int(column)) for row, column in np.ndindex(*plan.grid)]
        return {
            tile: TileJob(shots, part, *tile, settings.tile_px, plan.margin_px, **common)  # type: ignore[arg-type]
            for tile in tiles
        }

    def _phase(
        self,
        phase: str,
        function: Callable[[TileJob], Any],
        jobs: Mapping[Tile, TileJob],
        facts: Callable[[Any], dict[str, Any]],
        *,
        on_worker: Callable[[TileJob], Any] | None = None,
    ) -> Generator[SlideStep, None, None]:
        """Do what is left of a phase, noting each tile."""
        assert self._book is not None
        entries = self._book.done(phase)
        left = [tile for tile in jobs if tile not in entries]
        weights = [self._plan.tile_bytes] * len(left)
        if on_worker is not None and not self._workers.here(weights):
            if not self._model:
                raise InputError("Workers in other processes open the model themselves; name it.")
            function = on_worker
        name, done, glass = phase.partition(" ")[0], len(entries), sum(map(_is_glass, entries.values()))
        yield SlideStep(name, done, len(jobs), glass)
        for step in spread(function, [jobs[tile] for tile in left], weights, self._workers):
            if isinstance(step, Unfinished):
                row, column = left[step.number]
                raise InputError(f"Tile {row + 1}, {column + 1} of the slide: {step.reason}")
            if not isinstance(step, Waiting):
                told = facts(step.result)
                self._book.note(phase, left[step.number], **told)
                done, glass = done + 1, glass + _is_glass(told)
            yield SlideStep(name, done, len(jobs), glass)

    def _pyramid(self, canvas: Path, tile_px: int) -> Generator[SlideStep, None, None]:
        """The coarser levels of an image, each from the one before."""
        shots = self._plan.first.path, self._plan.second.path
        for level, shape in enumerate(SlideCanvas(canvas).levels[1:], 1):
            tiles = [(int(row), int(column)) for row, column in np.ndindex(*grid_of(shape, tile_px))]
            jobs = {tile: TileJob(shots, canvas, *tile, tile_px, level=level) for tile in tiles}
            yield from self._phase(f"{PYRAMID} {canvas.name} {level}", halve_one, jobs, lambda _: {})

    def _facts(
        self, book: SlideBook, named: tuple[str, str], shifts: np.ndarray[Any, Any], found: Mapping[Tile, Any]
    ) -> dict[str, Any]:
        """What is said of the slide's origin, in plain values."""
        tiles = book.done(RECOVER)
        recovered = [facts["uncertainty"] for facts in tiles.values() if facts["state"] == "recovered"]
        return {
            "made_by": f"napari-autofocus {__version__}",
            "model": self._refocuser.name,
            "fingerprint": self._refocuser.fingerprint,
            "inputs": list(named),
            "plan": self._plan.name,
            "tiles": len(tiles),
            "glass": len(tiles) - len(recovered),
            "shift_px": [round(float(value), 3) for value in np.median(shifts, axis=(0, 1))],
            "shifts_found": sum(shift is not None for shift in found.values()),
            "uncertainty": float(np.mean(recovered)) if recovered else 0.0,
            "doubtful": [[*tile, *facts["doubts"]] for tile, facts in sorted(tiles.items()) if facts["doubts"]],
            "warnings": list(self._plan.warnings),
        }

    def _finish(self, part: Path, facts: Mapping[str, Any]) -> None:
        """Say what the images are, and give the slide its name."""
        plan, name = self._plan, self._out.stem
        known = {"objective": plan.objective and objective_to_json(plan.objective), "bit_depth": plan.first.bit_depth}
        kept = {key: value for key, value in known.items() if value is not None}
        pixel_um = plan.first.pixel_size_um or (plan.objective.pixel_size_um if plan.objective else None)
        times = 2**UNCERTAINTY_TIMES
        coarse_um = None if pixel_um is None else pixel_um * times
        colour = "rgb" if plan.first.channels == 3 else "grey"
        doubt = {"what": "standard deviation of a pixel", "counts_of_full_scale": UNCERTAINTY_FULL, VIRTUAL: facts}
        SlideCanvas(part / UNCERTAINTY).finish(
            doubt, name=f"{name}, uncertainty", pixel_size_um=coarse_um, reduction=times
        )
        SlideCanvas(part).finish({"colour": colour, **kept, VIRTUAL: facts}, name=name, pixel_size_um=pixel_um)
        with writing(self._out):
            for leftover in part.rglob("*.partial"):
                leftover.unlink()
            flush_folder(part)
            part.rename(self._out)
            flush_path(self._out.absolute().parent)

    def clear_away(self) -> None:
        """The slide is whole: its journal goes."""
        self._out.with_name(f".{self._out.name}.journal").unlink(missing_ok=True)

    def told(self, facts: Mapping[str, Any]) -> VirtualSlide:
        """The result, from what is said of the slide."""
        down, right = facts["shift_px"]
        return VirtualSlide(
            path=self._out,
            shape=self._plan.first.shape,
            tiles=facts["tiles"],
            glass=facts["glass"],
            resumed=self._resumed if self._book is not None else facts["tiles"],
            shift_px=(down, right),
            shifts_found=facts["shifts_found"],
            uncertainty=facts["uncertainty"],
            doubtful={(row, column): tuple(why) for row, column, *why in facts["doubtful"]},
            model=facts["model"],
            warnings=tuple(facts["warnings"]),
        )


def _is_glass(facts: Mapping[str, Any]) -> bool:
    return facts.get("state") == "glass"


def _shift_facts(shift: tuple[float, float] | None) -> dict[str, Any]:
    return {"shift": None if shift is None else [round(shift[0], 3), round(shift[1], 3)]}


def _answer_facts(answer: TileAnswer) -> dict[str, Any]:
    return {"state": answer.state, "uncertainty": answer.uncertainty, "doubts": list(answer.doubts)}
