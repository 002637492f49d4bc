"""The shots of a scan on the disk, one chunk a tile, until they are stitched; a line for each tile is there."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder
from napari_autofocus.io.zarr_slide_writing import writing
from napari_autofocus.io.zarr_writing import flush_folder
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.virtual_scan import TakenTile, TileResult
from napari_autofocus.workflows.virtual.scan_plan import ScanPlan
from napari_autofocus.workflows.virtual.slide_book import SlideBook

Image = npt.NDArray[Any]

SHOTS = ("a", "b")
"""The shot at the lower and that at the higher drive position."""
_PHASE, _FRAME = "scan", "frame"
_KEPT_TILES = 12


class ScanTiles:
    """The tiles of one unfinished scan.

    Parameters
    ----------
    part : Path
        Hidden folder of the scan.
    book : SlideBook
        Its journal.
    plan : ScanPlan
        With the places where the scan was begun.
    """

    def __init__(self, part: Path, book: SlideBook, plan: ScanPlan) -> None:
        self.part, self.plan, self._book = part, plan, book
        self._arrays: dict[str, Any] = {}
        self.read = lru_cache(maxsize=_KEPT_TILES)(self._read)

    @classmethod
    def begin(cls, out: Path, plan: ScanPlan) -> ScanTiles:
        """Begin a scan, or go on with one that was stopped.

        Raises
        ------
        InputError
            If a scan by another plan was begun there, or nothing can be written.
        """
        make_folder(out.absolute().parent)
        part, journal = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.journal")
        if not part.is_dir():
            journal.unlink(missing_ok=True)
        earlier = SlideBook.read(journal)
        if earlier is not None:
            begun = ScanPlan.from_json(earlier.plan)
            if differences := plan.differences(begun):
                raise InputError(
                    f"A scan of that name was begun by another plan ({'; '.join(differences)}); choose another name, or"
                    f" delete {part} and {journal} to begin anew."
                )
            plan = begun
        with writing(out):
            part.mkdir(exist_ok=True)
        return cls(part, SlideBook.begin(journal, plan.to_json()), plan)

    @property
    def results(self) -> tuple[TileResult, ...]:
        """What became of each tile so far, in order."""
        entries = self._book.done(_PHASE)
        return tuple(TileResult(**entries[tile]) for tile in sorted(entries))

    @property
    def settled(self) -> frozenset[int]:
        """Tiles that need no second visit."""
        return frozenset(each.number for each in self.results if each.state in ("written", "empty", "out_of_reach"))

    @property
    def stored(self) -> list[TileResult]:
        """Tiles whose shots are there."""
        return [each for each in self.results if each.state in ("written", "empty")]

    @property
    def frame_facts(self) -> dict[str, Any]:
        """What the frames say of themselves: shape, pixel_size_um, bit_depth, exposure_ms; empty before the first."""
        return self._book.done(_FRAME).get((0, 0), {})

    def write(self, tile: TakenTile) -> None:
        """Keep both shots of a tile. Raises InputError where the disk refuses or frames differ in shape or type."""
        frames = dict(zip(SHOTS, (tile.lower, tile.upper), strict=True))
        if not self.frame_facts:
            self._begin(tile.lower)
        for shot, frame in frames.items():
            array, image = self._array(shot), np.asarray(frame.image)
            if image.shape != array.shape[1:] or image.dtype != array.dtype:
                raise InputError(
                    f"A frame of shape {image.shape} and type {image.dtype} came after frames of shape"
                    f" {array.shape[1:]} and type {array.dtype}; leave the camera's settings alone during a scan."
                )
            with writing(self.part):
                array[tile.number] = image
                flush_folder(self.part / "tiles" / shot / "c" / str(tile.number))

    def enter(self, result: TileResult) -> None:
        """Note what became of a tile."""
        self._book.note(_PHASE, (result.number, 0), **asdict(result))

    def _begin(self, frame: Frame) -> None:
        import zarr

        image, pixel_um = np.asarray(frame.image), frame.pixel_size_um or self.plan.pixel_um
        if pixel_um is None:
            raise InputError(
                "The microscope does not state the size of a pixel, by which tiles are placed; give --pixel-um."
            )
        with writing(self.part):
            group = zarr.open_group(str(self.part / "tiles"), mode="w", zarr_format=3)
            for shot in SHOTS:
                shape = (len(self.plan.tiles), *image.shape)
                # Black tiles are written too: a chunk that is missing is a tile that is missing.
                settings: dict[str, Any] = {"config": {"write_empty_chunks": True}}
                group.create_array(shot, shape=shape, chunks=(1, *image.shape), dtype=image.dtype, **settings)
        facts = {"bit_depth": frame.bit_depth, "exposure_ms": frame.exposure_ms}
        self._book.note(_FRAME, (0, 0), shape=[*image.shape], pixel_size_um=pixel_um, **facts)

    def _array(self, shot: str) -> Any:
        import zarr

        if shot not in self._arrays:
            self._arrays[shot] = zarr.open_array(str(self.part / "tiles" / shot), mode="r+")
        return self._arrays[shot]

    def _read(self, shot: str, number: int) -> Image:
        return np.asarray(self._array(shot)[number])

    def clear_away(self, slide: Path) -> None:
        """The tiles are part of the slide now, and lie in it."""
        self.read.cache_clear()
        self._arrays.clear()
        clear_tiles(slide)

    def forget(self) -> None:
        """The slide lies under its name: the journal goes."""
        self._book.remove()


def clear_tiles(slide: Path) -> None:
    """Take away the tiles of a slide that is whole."""
    shutil.rmtree(slide / "tiles", ignore_errors=True)
