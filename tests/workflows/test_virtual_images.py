"""Images in focus from pairs of files: reading, comparing, counting, the picture."""

from __future__ import annotations

import csv
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.io.frames import open_frame
from napari_autofocus.io.virtual import VirtualOrigin, virtual_origin, write_virtual_image
from napari_autofocus.models.refocuser import VirtualRefocuser
from napari_autofocus.workflows.reports.virtual import save_virtual_report
from napari_autofocus.workflows.virtual.cell_counts import count_in_all, outlines, write_counts
from napari_autofocus.workflows.virtual_images import (
    RecoveredFiles,
    VirtualSettings,
    recover_files,
    write_recovered,
    write_uncertainty,
)
from tiny_refocusers import LENS, as_u8, shots_of, texture, tiny_refocuser

TRUTH = texture()
ORIGIN = VirtualOrigin("m", "f", "a", "b")


@pytest.fixture(scope="module")
def refocuser() -> VirtualRefocuser:
    return tiny_refocuser(changing=False)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two shots and the truth, with their optics."""
    found = []
    for name, light in zip(("below", "above", "true"), (*shots_of(TRUTH), TRUTH), strict=True):
        path = tmp_path / f"{name}.ome.tif"
        found.append(write_virtual_image(path, as_u8(light), ORIGIN, pixel_size_um=0.325, objective=LENS))
    return found[0], found[1], found[2]


def run(work: Generator[Any, None, RecoveredFiles]) -> RecoveredFiles:
    while True:
        try:
            next(work)
        except StopIteration as finished:
            result: RecoveredFiles = finished.value
            return result


def test_the_result_is_compared_with_the_truth(files: tuple[Path, Path, Path], refocuser: VirtualRefocuser) -> None:
    found = run(recover_files(files[0], files[1], refocuser, truth=files[2]))
    assert list(found.images()) == ["first", "second", "recovered", "true"]
    # An untaught model gives back the sharper shot, the second.
    assert found.likeness["recovered"].psnr_db == pytest.approx(found.likeness["second"].psnr_db, abs=0.01)
    assert found.likeness["recovered"].psnr_db > found.likeness["first"].psnr_db
    assert found.to_json()["likeness"]["recovered"]["ssim"] > found.likeness["first"].ssim


def test_without_a_truth_nothing_is_compared(files: tuple[Path, Path, Path], refocuser: VirtualRefocuser) -> None:
    found = run(recover_files(files[0], files[1], refocuser))
    assert found.likeness == {}
    assert found.to_json()["likeness"] is None
    assert found.to_json()["cells"] is None


def test_two_planes_of_one_stack(tmp_path: Path, refocuser: VirtualRefocuser) -> None:
    planes = [as_u8(light) for light in (*shots_of(TRUTH), TRUTH)]
    path = write_stack(tmp_path / "stack.ome.tif", ZStack(np.stack(planes), np.arange(3.0), 0.325, objective=LENS))
    found = run(recover_files(path, path, refocuser, VirtualSettings(plane=0, second_plane=1)))
    assert found.origin.first == "stack.ome.tif plane 0"
    assert np.array_equal(found.second.image, planes[1])
    with pytest.raises(InputError, match="named twice"):
        run(recover_files(path, path, refocuser, VirtualSettings(plane=1, second_plane=1)))


def test_files_that_do_not_state_their_optics_are_refused(tmp_path: Path, refocuser: VirtualRefocuser) -> None:
    shots = [
        write_virtual_image(tmp_path / f"{name}.png", as_u8(light), ORIGIN)
        for name, light in zip("ab", shots_of(TRUTH), strict=True)
    ]
    with pytest.raises(InputError, match=r"objective.*pixel size"):
        run(recover_files(*shots, refocuser))
    assert run(recover_files(*shots, refocuser, VirtualSettings(insist=True))).virtual.warnings
    stated = VirtualSettings(lens=LENS, pixel_size_um=0.325)
    assert not run(recover_files(*shots, refocuser, stated)).virtual.warnings


def test_a_truth_of_another_size_is_refused(
    tmp_path: Path, files: tuple[Path, Path, Path], refocuser: VirtualRefocuser
) -> None:
    other = write_virtual_image(tmp_path / "small.png", as_u8(TRUTH)[:50], ORIGIN)
    with pytest.raises(InputError, match="true image"):
        run(recover_files(files[0], files[1], refocuser, truth=other))


def test_what_is_written_says_what_it_is(
    tmp_path: Path, files: tuple[Path, Path, Path], refocuser: VirtualRefocuser
) -> None:
    found = run(recover_files(files[0], files[1], refocuser))
    path = write_recovered(tmp_path / "out.ome.tif", found)
    said = virtual_origin(path)
    assert said is not None
    assert said["model_fingerprint"] == refocuser.fingerprint
    assert open_frame(path).pixel_size_um == pytest.approx(0.325)
    map_ = open_frame(write_uncertainty(tmp_path / "u.ome.tif", found)).image
    assert np.array_equal(map_, found.virtual.uncertainty)
    with pytest.raises(InputError, match="OME-TIFF"):
        write_uncertainty(tmp_path / "u.png", found)


def test_picture_and_table(tmp_path: Path, files: tuple[Path, Path, Path], refocuser: VirtualRefocuser) -> None:
    found = run(recover_files(files[0], files[1], refocuser, VirtualSettings(count=True), truth=files[2]))
    picture = save_virtual_report(found, tmp_path / "pictures")
    assert open_frame(picture).image.shape[1] > 1500
    assert found.cells is not None
    write_counts(tmp_path / "cells.csv", found.cells)
    rows = list(csv.DictReader((tmp_path / "cells.csv").read_text().splitlines()))
    assert [row["image"] for row in rows] == ["first", "second", "recovered", "true"]
    assert int(rows[2]["difference"]) == int(rows[2]["cells"]) - int(rows[3]["cells"])
    assert rows[3]["difference"] == ""


def test_a_picture_without_truth_and_cells(
    tmp_path: Path, files: tuple[Path, Path, Path], refocuser: VirtualRefocuser
) -> None:
    assert save_virtual_report(run(recover_files(files[0], files[1], refocuser)), tmp_path).exists()


def test_images_of_one_field_are_counted_alike() -> None:
    dark = np.full((80, 80), 0.9, np.float32)
    dark[20:45, 20:45] = 0.3
    counts = count_in_all({"first": dark, "true": dark}, pixel_size_um=0.325)
    assert counts.to_json() == {"kind": "nuclei", "first": 1, "true": 1}
    assert outlines(counts.found["true"]).sum() > 50
