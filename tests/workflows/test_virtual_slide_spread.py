"""A real network behind it: workers of their own, a kill, and memory that does not grow with the slide."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_autofocus.io.zarr_slide import open_slide
from napari_autofocus.io.zarr_slide_writing import SlideCanvas
from napari_autofocus.models.package import NetworkCard
from napari_autofocus.models.package.writing import write_virtual_package
from napari_autofocus.models.refocuser import load_refocuser
from napari_autofocus.models.tsva import TsvaNetwork, TsvaSettings
from napari_autofocus.workflows.spread import Workers
from napari_autofocus.workflows.virtual_slide import SlideSettings, refocus_slide
from virtual_slides import MeanRefocuser, SharperRefocuser, finished, texture, virtual_card, write_slide

STILL = SlideSettings(register=False, tile_px=256)


def seeded_package(path: Path) -> Path:
    """A small network with random weights, whose answer differs from its inputs everywhere."""
    torch.manual_seed(3)
    network = TsvaNetwork(TsvaSettings(width=4, levels=2))
    with torch.no_grad():
        network.last.weight.normal_(0, 3.0)
    settings = NetworkCard(architecture="TsvaNetwork", settings=network.settings.to_json())
    card = virtual_card(name="seeded-20x", network=settings, overlap_px=48, stride_px=network.settings.stride_px)
    write_virtual_package(path, card, network=network)
    return path


def blurred_pair(shape: tuple[int, ...], folder: Path) -> tuple[Any, Any]:
    """Of which the first is the sharper everywhere."""
    one = texture(shape, 1)
    other = (0.6 * one + 0.4 * one.mean()).astype(np.uint8)
    write_slide(folder / "a.zarr", one)
    write_slide(folder / "b.zarr", other)
    return one, other


def psnr_db(one: Any, other: Any) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((one.astype(float) - other) ** 2), 1e-9)))


def test_a_networks_tiles_have_no_seams(tmp_path: Path) -> None:
    one, other = blurred_pair((330, 600, 3), tmp_path)
    refocuser = load_refocuser(seeded_package(tmp_path / "seeded.zip"))
    slides = tmp_path / "a.zarr", tmp_path / "b.zarr"
    slide = finished(refocus_slide(*slides, tmp_path / "out.zarr", refocuser, STILL))
    found = open_slide(slide.path).read(slice(None), slice(None))
    shots = np.concatenate([np.moveaxis(each, -1, 0) for each in (one, other)]).astype(np.float32) / 255
    whole = np.clip(np.rint(np.moveaxis(refocuser.refocus_tile(shots)[:-1], 0, -1) * 255), 0, 255)
    assert psnr_db(whole, one) < 45  # the network does something
    assert psnr_db(found, whole) > 60


@pytest.mark.timeout(900)
def test_workers_that_open_the_model_themselves_give_the_same(tmp_path: Path) -> None:
    blurred_pair((300, 500, 3), tmp_path)
    path = seeded_package(tmp_path / "seeded.zip")
    refocuser, slides = load_refocuser(path), (tmp_path / "a.zarr", tmp_path / "b.zarr")
    here = finished(refocus_slide(*slides, tmp_path / "here.zarr", refocuser, STILL))
    two = Workers(count=2)
    there = finished(refocus_slide(*slides, tmp_path / "there.zarr", refocuser, STILL, workers=two, model=str(path)))
    found = [open_slide(each.path).read(slice(None), slice(None)) for each in (here, there)]
    assert psnr_db(found[1], found[0]) > 60


class SlowRefocuser(MeanRefocuser):
    """Takes its time, so that a kill finds it at work."""

    def refocus_tile(self, shots: Any) -> Any:
        time.sleep(0.05)
        return super().refocus_tile(shots)


def _recover(folder: Path) -> None:
    finished(refocus_slide(folder / "a.zarr", folder / "b.zarr", folder / "out.zarr", SlowRefocuser(), STILL))


@pytest.mark.skipif(os.name != "posix", reason="kills a fork")
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    blurred_pair((1000, 1000, 3), tmp_path)
    process = multiprocessing.get_context("spawn").Process(target=_recover, args=(tmp_path,))
    process.start()
    journal = tmp_path / ".out.zarr.journal"
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count("\n") > 4):
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (tmp_path / "out.zarr").exists()
    slides = tmp_path / "a.zarr", tmp_path / "b.zarr"
    resumed = finished(refocus_slide(*slides, tmp_path / "out.zarr", MeanRefocuser(), STILL))
    anew = finished(refocus_slide(*slides, tmp_path / "anew.zarr", MeanRefocuser(), STILL))
    assert 4 <= resumed.resumed < resumed.tiles == 16
    one, other = (open_slide(each.path).read(slice(None), slice(None)) for each in (resumed, anew))
    np.testing.assert_array_equal(one, other)
    assert not list(tmp_path.glob(".out*"))


def _peak_mb(folder: Path, side: int) -> float:
    """Largest memory that Python and numpy held while a slide of that side was recovered, MB."""
    folder.mkdir()
    tile = texture((512, 512), 1)
    for name, image in (("a", tile), ("b", tile // 2)):
        canvas = SlideCanvas.create(folder / f"{name}.zarr", (side, side), 1, np.uint8)
        for y, x in np.ndindex(side // 512, side // 512):
            canvas.write(0, y * 512, x * 512, image)
        canvas.finish({}, name=name, pixel_size_um=0.325)
    tracemalloc.start()
    settings = SlideSettings(insist=True, register=False, tile_px=512)
    slides = folder / "a.zarr", folder / "b.zarr"
    finished(refocus_slide(*slides, folder / "out.zarr", SharperRefocuser(colour="mono"), settings))
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_slide(tmp_path: Path) -> None:
    small, large = _peak_mb(tmp_path / "small", 1024), _peak_mb(tmp_path / "large", 2048)
    assert large < 60
    assert large < 1.2 * small + 2
