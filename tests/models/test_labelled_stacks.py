"""Where best focus of a data set's stacks is taken from, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.labelling import LabelStore
from napari_autofocus.models.labelled_stacks import (
    LabelledDataset,
    LabelledStack,
    ReadingSettings,
    count_frames,
    known_frames,
    read_dataset,
)
from napari_autofocus.optics import PRESETS

MakeStack = Callable[..., ZStack]


def read(folder: Path, **settings: object) -> LabelledDataset:
    work = read_dataset(folder, ReadingSettings(**settings))  # type: ignore[arg-type]
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


def best(dataset: LabelledDataset) -> dict[str, tuple[float, str]]:
    return {each.path.name: (round(each.best_z_um, 1), each.how) for each in dataset.stacks}


@pytest.fixture
def folder(tmp_path: Path, make_stack: MakeStack) -> Path:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    write_stack(inputs / "a.ome.tif", make_stack(6.3))
    write_stack(inputs / "b.ome.tif", make_stack(7.8, seed=1))
    return inputs


def add_noise_stack(folder: Path, stack: ZStack) -> None:
    noise = np.random.default_rng(0).normal(128, 2, (15, 64, 96)).astype(np.uint8)
    write_stack(folder / "noise.ome.tif", replace(stack, data=noise))


def test_what_nobody_labelled_is_labelled_by_brenner(folder: Path) -> None:
    dataset = read(folder)
    assert best(dataset) == {"a.ome.tif": (6.3, "Brenner"), "b.ome.tif": (7.8, "Brenner")}
    assert dataset.how_labelled == {"Brenner": 2}


def test_a_table_goes_before_brenner_and_its_stray_rows_are_told(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,best_z_um\na.ome.tif,5.5\ngone.tif,1.0\n")
    dataset = read(folder)
    assert best(dataset) == {"a.ome.tif": (5.5, "table"), "b.ome.tif": (7.8, "Brenner")}
    assert dataset.without_stack == ("gone.tif",)
    assert dataset.stacks[0].focus is None


def test_a_label_store_goes_before_a_table(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,best_z_um\na.ome.tif,5.5\nb.ome.tif,7.0\n")
    with LabelStore(folder / "labels.db") as store:
        store.add("a.ome.tif", {"best_z_um": 6.0}, annotator="ann", source="person")
    assert best(read(folder)) == {"a.ome.tif": (6.0, "label store"), "b.ome.tif": (7.0, "table")}


def test_labels_of_sub_folders_and_of_the_root_are_both_read(folder: Path, make_stack: MakeStack) -> None:
    (folder / "deep").mkdir()
    write_stack(folder / "deep" / "c.ome.tif", make_stack(8))
    write_stack(folder / "deep" / "d.ome.tif", make_stack(8))
    (folder / "labels.csv").write_text("path,best_z_um\ndeep/c.ome.tif,1.0\na.ome.tif,2.0\nb.ome.tif,3.0\n")
    (folder / "deep" / "labels.csv").write_text("path,best_z_um\nd.ome.tif,4.0\n")
    positions = {name: z_um for name, (z_um, _) in best(read(folder)).items()}
    assert positions == {"a.ome.tif": 2.0, "b.ome.tif": 3.0, "c.ome.tif": 1.0, "d.ome.tif": 4.0}


def test_folders_of_planes_with_z_in_their_names_are_stacks(tmp_path: Path, make_stack: MakeStack) -> None:
    stack = make_stack(6.3)
    (tmp_path / "set" / "planes").mkdir(parents=True)
    for z_um, plane in zip(stack.z_um, stack.data, strict=True):
        tifffile.imwrite(tmp_path / "set" / "planes" / f"z{z_um - 10:+08.4f}um.tiff", plane)
    (tmp_path / "set" / "labels.csv").write_text("path,best_z_um\nplanes,-3.7\n")
    (only,) = read(tmp_path / "set").stacks
    assert (only.best_z_um, only.how) == (-3.7, "table")
    assert only.defocus_um[0] == pytest.approx(-6.3)


def test_untrusted_stacks_are_left_out_and_counted(folder: Path, make_stack: MakeStack) -> None:
    add_noise_stack(folder, make_stack(6))
    (folder / "labels.csv").write_text("path,best_z_um,trusted\na.ome.tif,5.5,False\nb.ome.tif,,\n")
    dataset = read(folder)
    assert dataset.stacks == ()
    assert [(Path(each.path).name, each.kind) for each in dataset.skipped] == [
        ("a.ome.tif", "untrusted"),
        ("b.ome.tif", "untrusted"),
        ("noise.ome.tif", "untrusted"),
    ]


def test_a_bad_file_is_left_out_and_told(folder: Path) -> None:
    path = folder / "b.ome.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    dataset = read(folder)
    assert list(best(dataset)) == ["a.ome.tif"]
    assert [each.kind for each in dataset.skipped] == ["unreadable"]
    assert "b.ome.tif" in dataset.skipped[0].reason


def test_a_table_that_is_none_is_refused(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,z\na.ome.tif,1\n")
    with pytest.raises(InputError, match="needs the columns path and best_z_um; it has file, z"):
        read(folder)


def test_a_simulated_folder_says_slide_stain_and_density(folder: Path) -> None:
    settings = {"stain": "he", "density": "sparse", "seed": 7}
    (folder / "simulation.json").write_text(json.dumps({"settings": settings}))
    each = read(folder).stacks[0]
    assert (each.slide, each.stain, each.density) == ("simulated he sparse 7", "he", "sparse")


def test_columns_of_the_table_say_slide_stain_and_density(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,best_z_um,slide,stain,density\na.ome.tif,6.3,case 12,ihc,dense\n")
    first, second = read(folder).stacks
    assert (first.slide, first.stain, first.density) == ("case 12", "ihc", "dense")
    assert (second.slide, second.stain) == (str(second.path), None)


def test_patches_lie_on_the_grid_asked_for_and_know_their_focus(folder: Path) -> None:
    (first, _) = read(folder, patches=True, patch_px=32, stride_px=16).stacks
    assert first.focus is not None
    assert (first.focus.grid.size, first.focus.grid.step, len(first.patches)) == (32, 16, 15)
    assert all(patch.best_z_um == pytest.approx(6.3, abs=0.5) for patch in first.patches)
    assert all(patch.importance > 0.3 for patch in first.patches)


def test_a_label_store_corrects_patches(folder: Path) -> None:
    with LabelStore(folder / "labels.db") as store:
        said = {"annotator": "ann", "source": "person", "key": "16,32,32"}
        store.add("a.ome.tif", {"best_z_um": 2.5}, scope="patch", **said)
        store.add("a.ome.tif", 0.125, scope="importance", **said)
    (first, _) = read(folder, patches=True, patch_px=32, stride_px=16).stacks
    (corrected,) = [patch for patch in first.patches if (patch.y, patch.x) == (16, 32)]
    assert (corrected.best_z_um, corrected.importance) == (2.5, 0.125)


def test_a_sample_for_training_holds_planes_in_range_with_the_defocus_of_each_patch(folder: Path) -> None:
    (first, _) = read(folder, patches=True, patch_px=32, stride_px=16, focus_direction=-1).stacks
    sample = first.sample(range_um=4.0)
    assert len(sample.frames) == 8
    assert sample.defocus_um.shape == (8, 3, 5)
    assert sample.defocus_um[0, 1, 1] == pytest.approx(3.3, abs=0.5)
    np.testing.assert_array_equal(sample.frames[0], first.stack.plane(3))


def test_a_sample_needs_patches_and_planes_in_range(folder: Path) -> None:
    (plain, _) = read(folder).stacks
    with pytest.raises(InputError, match="patches=True"):
        plain.sample(4.0)
    (narrow, _) = read(folder, patches=True, patch_px=32).stacks
    with pytest.raises(InputError, match="has no plane within"):
        narrow.sample(0.01)


@pytest.mark.parametrize(("direction", "first_um"), [(1, -3.3), (-1, 3.3)])
def test_frames_carry_the_sign_of_the_focus_direction(folder: Path, direction: int, first_um: float) -> None:
    (folder / "labels.csv").write_text("path,best_z_um\na.ome.tif,6.3\nb.ome.tif,\n")
    dataset = read(folder, focus_direction=direction)
    frames = list(known_frames(dataset, range_um=4.0))
    assert len(frames) == count_frames(dataset, 4.0) == 8
    assert frames[0].true_um == pytest.approx(first_um)
    np.testing.assert_array_equal(frames[0].image, dataset.stacks[0].stack.plane(3))


def test_optics_come_from_the_file_unless_the_user_says_them(folder: Path, make_stack: MakeStack) -> None:
    write_stack(folder / "a.ome.tif", replace(make_stack(6.3), objective=PRESETS["20x/0.75"], pixel_size_um=0.4))
    dataset = read(folder)
    stated, unknown = (next(known_frames(replace(dataset, stacks=(each,)), 4.0)) for each in dataset.stacks)
    assert stated.optics is not None
    assert stated.optics.objective is not None
    assert (stated.optics.objective.na, stated.optics.objective.pixel_size_um) == (0.75, pytest.approx(0.4))
    assert unknown.optics is not None
    assert unknown.optics.objective is None
    told = next(known_frames(dataset, 4.0, lens=PRESETS["10x/0.3"], pixel_size_um=0.65))
    assert told.optics is not None
    assert told.optics.objective is not None
    assert (told.optics.objective.na, told.optics.objective.pixel_size_um) == (0.3, pytest.approx(0.65))


def test_a_stack_that_breaks_while_it_is_read_is_told_and_the_others_go_on(folder: Path) -> None:
    class Broken:
        shape, dtype, ndim = (15, 64, 96), np.dtype(np.uint8), 3

        def __getitem__(self, index: int) -> np.ndarray:
            raise InputError("a plane is gone")

    dataset = read(folder)
    bad = LabelledStack(Path("bad.tif"), replace(dataset.stacks[0].stack, data=Broken()), 6.0, "table", "s")
    told: list[str] = []
    frames = list(
        known_frames(
            replace(dataset, stacks=(bad, dataset.stacks[1])), 4.0, on_skip=lambda skip: told.append(skip.reason)
        )
    )
    assert told == ["a plane is gone"]
    assert {frame.source for frame in frames} == {str(folder / "b.ome.tif")}
