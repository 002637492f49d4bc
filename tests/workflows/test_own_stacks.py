"""Which stacks teach, what is held out, and what is stored of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.labelling import LabelStore
from napari_autofocus.labelling.store import Label
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.labelled_stacks import LabelledStack, ReadingSettings, read_dataset
from napari_autofocus.workflows.own.split import split_stacks
from napari_autofocus.workflows.own.stacks import covered_range_um, patch_focus_um, store_patches
from own_folders import texture_stack, write_stacks


def labelled(name: str, slide: str | None = None, *, planes: int = 41, best_z_um: float = 0.0) -> LabelledStack:
    z_um = np.linspace(-10, 10, planes)
    stack = ZStack(np.zeros((planes, 4, 4), np.uint8), z_um)
    return LabelledStack(Path(name), stack, best_z_um, "table", slide or name)


def read(folder: Path) -> dict[str, LabelledStack]:
    work = read_dataset(folder, ReadingSettings(patches=True))
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return {stack.path.name: stack for stack in finished.value.stacks}


def test_of_six_stacks_two_calibrate_because_one_has_too_few_frames() -> None:
    split = split_stacks([labelled(f"{n}") for n in range(6)], 10.0, seed=0)
    assert split.to_json() == {"by": "slide", "training": 3, "calibration": 2, "evaluation": 1}
    assert "Nobody says which slide" in split.note


def test_of_six_longer_stacks_one_calibrates() -> None:
    split = split_stacks([labelled(f"{n}", planes=61) for n in range(6)], 10.0, seed=0)
    assert split.to_json() == {"by": "slide", "training": 4, "calibration": 1, "evaluation": 1}


def test_three_stacks_have_one_task_each() -> None:
    split = split_stacks([labelled(f"{n}") for n in range(3)], 10.0, seed=0)
    assert split.to_json() == {"by": "slide", "training": 1, "calibration": 1, "evaluation": 1}


@pytest.mark.parametrize("seed", range(5))
def test_no_slide_is_divided_where_there_are_several(seed: int) -> None:
    stacks = [labelled(f"{n}", slide=f"slide {n % 5}") for n in range(20)]
    split = split_stacks(stacks, 10.0, seed)
    parts = [{stack.slide for stack in part} for part in (split.training, split.calibration, split.evaluation)]
    assert [len(part) for part in parts] == [3, 1, 1]
    assert len(set.union(*parts)) == 5
    assert split.note == "Whole slides were held out."


def test_of_two_slides_the_smaller_one_is_held_out() -> None:
    stacks = [labelled(f"{n}", slide="large" if n > 2 else "small") for n in range(8)]
    split = split_stacks(stacks, 10.0, seed=0)
    assert {stack.slide for stack in split.training} == {"large"}
    assert {stack.slide for stack in split.calibration + split.evaluation} == {"small"}
    assert (len(split.calibration), len(split.evaluation)) == (1, 2)


def test_the_stacks_of_one_slide_are_divided_and_that_is_said() -> None:
    split = split_stacks([labelled(f"{n}", slide="only") for n in range(10)], 10.0, seed=0)
    assert split.to_json() == {"by": "stack", "training": 6, "calibration": 2, "evaluation": 2}
    assert "stacks of the slide that was trained on were held out" in split.note


def test_a_split_depends_on_its_seed_alone() -> None:
    stacks = [labelled(f"{n}") for n in range(12)]
    held = [{stack.path.name for stack in split_stacks(stacks, 10.0, seed).evaluation} for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


def test_the_range_is_what_planes_cover_on_both_sides() -> None:
    assert covered_range_um([labelled("a"), labelled("b", best_z_um=1.04), labelled("c", best_z_um=3.0)]) == 8.9


def test_a_label_of_the_field_moves_its_patches(tmp_path: Path) -> None:
    write_stacks(tmp_path, 2)
    measured = patch_focus_um(read(tmp_path)["s0.ome.tif"])
    (tmp_path / "labels.csv").write_text("path,best_z_um\ns0.ome.tif,5.5\n")
    stacks = read(tmp_path)
    assert np.median(patch_focus_um(stacks["s0.ome.tif"])) == pytest.approx(5.5)
    np.testing.assert_allclose(np.diff(patch_focus_um(stacks["s0.ome.tif"])), np.diff(measured), atol=1e-5)
    assert np.median(patch_focus_um(stacks["s1.ome.tif"])) == pytest.approx(3.8, abs=0.2)


def test_labels_of_patches_are_not_moved(tmp_path: Path) -> None:
    write_stacks(tmp_path, 1)
    with LabelStore(tmp_path / "labels.db") as store:
        field, patch = Label("s0.ome.tif", 5.5), Label("s0.ome.tif", 2.0, "patch", "0,0,128")
        store.add_many([field, patch], annotator="ann", source="person")
    focus = patch_focus_um(read(tmp_path)["s0.ome.tif"])
    assert focus[0, 0] == 2.0
    assert focus[1, 1] == pytest.approx(3.7, abs=0.2)


def stored(stacks: dict[str, LabelledStack], folder: Path) -> Dataset:
    for _ in store_patches(list(stacks.values()), folder, range_um=3.0, seed=0):
        pass
    return Dataset(folder)


def test_stored_patches_are_of_planes_in_range_with_their_defocus(tmp_path: Path) -> None:
    stacks = read(write_stacks(tmp_path / "stacks", 1, focus_direction=-1))
    data = stored(stacks, tmp_path / "data")
    (stack,) = stacks.values()
    wanted = -(stack.stack.z_um[:, None, None] - patch_focus_um(stack))[np.abs(stack.defocus_um) <= 3]
    np.testing.assert_allclose(np.sort(data.labels["defocus_um"]), np.sort(wanted.ravel()), atol=1e-5)
    assert set(data.slides) == {str(stack.path)}


def test_fields_of_any_shape_go_together(tmp_path: Path) -> None:
    folder = write_stacks(tmp_path / "stacks", 1)
    wide = texture_stack(seed=1)
    write_stack(folder / "wide.ome.tif", replace(wide, data=np.tile(wide.data, (1, 1, 2, 1))))
    data = stored(read(folder), tmp_path / "data")
    shapes = {data.overview(index)[0].shape for index in range(data.overview_labels.size)}
    assert shapes == {(24, 24, 3)}


def test_a_tile_is_cut_where_its_patches_lie(tmp_path: Path) -> None:
    folder = tmp_path / "stacks"
    folder.mkdir()
    stack = texture_stack(colour=False)
    grown = np.tile(stack.data.astype(np.uint16) * 16, (1, 1, 3))[
        :, :, :500
    ]  # 12 bits in 16, a width that does not fit
    write_stack(folder / "s.ome.tif", replace(stack, data=grown))
    stacks = read(folder)
    data = stored(stacks, tmp_path / "data")
    grid = stacks["s.ome.tif"].focus.grid  # type: ignore[union-attr]
    cut = {np.round(part * 65535).astype(np.uint16).tobytes() for part in map(data.patch, range(len(data)))}
    whole = {plane[grid.slices(i)].copy().tobytes() for plane in grown for i in range(len(grid))}
    assert len(cut) > 20
    assert cut <= whole
