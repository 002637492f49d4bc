"""Whole fields on disk: what was written is read, and nothing half-written or of another kind is taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_fields_whole import GRID, whole_field, whole_fields

from napari_autofocus.errors import InputError
from napari_autofocus.models.field_dataset import FieldDataset, write_field_shard
from napari_autofocus.models.shards import read_array, writing_shard


def test_a_plane_comes_back_as_it_was_written(tmp_path: Path) -> None:
    fields = [whole_field("a", 1), whole_field("b", 2, signed=False, density="dense")]
    write_field_shard(tmp_path / "shard-0000", fields[:1])
    write_field_shard(tmp_path / "shard-0001", fields[1:])
    data = FieldDataset(tmp_path)
    assert (len(data), data.planes, data.channels, data.grid) == (2, 3, 3, GRID)
    assert list(data.slides) == ["a", "b"]
    assert list(data.densities) == ["sparse", "dense"]
    plane = data.plane(1, 2)
    np.testing.assert_allclose(plane.frame * 255, fields[1].frames[2], atol=1e-3)
    np.testing.assert_array_equal(plane.defocus_um, fields[1].defocus_um[2])
    np.testing.assert_array_equal(plane.importance, fields[1].importance)
    assert not plane.signed


def test_sixteen_bits_are_kept_and_full_scale_is_one(tmp_path: Path) -> None:
    frame = np.full((128, 128), 65535, np.uint16)
    field = whole_field("a", 1, planes_um=(0.0,))
    write_field_shard(
        tmp_path / "shard-0000", [type(field)((frame,), GRID, field.defocus_um, field.importance, True, "a")]
    )
    plane = FieldDataset(tmp_path).plane(0, 0)
    assert plane.frame.shape == (128, 128, 1)
    assert plane.frame.max() == 1


def test_a_fields_defocus_is_the_median_of_its_patches_of_content(tmp_path: Path) -> None:
    data = whole_fields(tmp_path)
    assert [data.plane(0, plane).field_um for plane in range(3)] == [-4, 0, 3]


def test_a_field_without_content_has_no_defocus(tmp_path: Path) -> None:
    assert np.isnan(whole_fields(tmp_path, content=()).plane(0, 0).field_um)


def test_fields_of_different_planes_do_not_share_a_shard(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 kinds"):
        write_field_shard(tmp_path / "shard-0000", [whole_field("a", 1), whole_field("b", 2, planes_um=(0.0,))])
    assert list(tmp_path.iterdir()) == []


def test_shards_of_different_kinds_are_told_apart(tmp_path: Path) -> None:
    write_field_shard(tmp_path / "shard-0000", [whole_field("a", 1)])
    write_field_shard(tmp_path / "shard-0001", [whole_field("b", 2, planes_um=(0.0,))])
    with pytest.raises(InputError, match="2 kinds"):
        FieldDataset(tmp_path)


def test_a_shard_of_another_version_is_refused(tmp_path: Path) -> None:
    whole_fields(tmp_path)
    names = tmp_path / "shard-0000" / "names.json"
    names.write_text(json.dumps(json.loads(names.read_text()) | {"format": 99}))
    with pytest.raises(InputError, match="format 99"):
        FieldDataset(tmp_path)


@pytest.mark.parametrize("name", ["names.json", "frames.npy", "signed.npy"])
def test_a_damaged_shard_is_named(tmp_path: Path, name: str) -> None:
    whole_fields(tmp_path)
    (tmp_path / "shard-0000" / name).write_bytes(b"\x00")
    with pytest.raises(InputError, match="shard-0000"):
        FieldDataset(tmp_path)


def test_an_empty_folder_holds_no_training_data(tmp_path: Path) -> None:
    (tmp_path / "shard-0000.part").mkdir()
    with pytest.raises(InputError, match="no training data"):
        FieldDataset(tmp_path)


def test_a_shard_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with writing_shard(tmp_path / "shard-0000") as folder:
            np.save(folder / "frames.npy", np.zeros(3))
            raise OSError(28, "disk full")

    with pytest.raises(InputError, match="disk full"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_run_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "shard-0000.part").mkdir()
    (tmp_path / "shard-0000.part" / "old.npy").write_bytes(b"1")
    with writing_shard(tmp_path / "shard-0000") as folder:
        np.save(folder / "new.npy", np.arange(3))
    assert [path.name for path in (tmp_path / "shard-0000").iterdir()] == ["new.npy"]
    np.testing.assert_array_equal(read_array(tmp_path / "shard-0000" / "new.npy", mapped=True), [0, 1, 2])
