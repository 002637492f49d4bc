"""Shards: what is stored of a field, that labels stay with their patches, and files that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_fields import SIZE, made_dataset, made_field, random_frame

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.dataset import Dataset, Picking, write_shard
from napari_autofocus.models.samples import FieldSample
from napari_autofocus.models.seeing.frame import ModelFrame
from napari_autofocus.models.seeing.overview import overview_of


def _write(folder: Path, *fields: FieldSample, name: str = "shard-0000", **picking: Any) -> Path:
    return write_shard(folder / name, fields, Picking(**picking), np.random.default_rng(0))


def test_every_stored_patch_is_the_part_of_the_frame_that_its_label_says(tmp_path: Path) -> None:
    field = made_field(planes=3)
    data = made_dataset(tmp_path, [field], patches_per_plane=100)
    assert len(data) == 3 * len(field.grid)
    for number, label in enumerate(data.labels):
        plane, index = divmod(int(label["defocus_um"]), 100)
        own = field.frames[plane][field.grid.slices(index)]
        np.testing.assert_array_equal(np.rint(data.patch(number) * 255), own)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_patches_and_overviews_are_what_the_predictor_will_show_the_network(
    tmp_path: Path, dtype: type[np.generic], channels: int
) -> None:
    frame = random_frame(3, dtype=dtype, channels=channels)
    field = made_field(planes=1, frames=(frame,))
    data = made_dataset(tmp_path, [field], patches_per_plane=1, reduction=8)
    seen = ModelFrame.of(frame)
    patch = seen.patches(field.grid, [int(data.labels[0]["defocus_um"])], channels)[0]
    overview = seen.overview(field.grid, 8, channels)[0]
    np.testing.assert_allclose(data.patch(0).transpose(2, 0, 1), patch, atol=1e-6)
    np.testing.assert_allclose(data.overview(0)[0].transpose(2, 0, 1), overview, atol=1e-6)


def test_an_overview_covers_just_what_the_grid_covers() -> None:
    frame = np.zeros((70, 101, 3), np.uint8)
    grid = PatchGrid((70, 101), 32, 16)
    (y, x), (rows, columns) = grid.origin, grid.shape
    frame[y : y + 16 * (rows + 1), x : x + 16 * (columns + 1)] = 200
    overview = overview_of(frame, grid, 8)
    assert overview.shape == (2 * (rows + 1), 2 * (columns + 1), 3)
    assert (overview == 200).all()


def test_importance_stays_with_its_overview(tmp_path: Path) -> None:
    fields = [made_field("ab"[n], seed=n, importance=np.full((3, 4), 0.25 * (n + 1), np.float32)) for n in range(2)]
    data = made_dataset(tmp_path, fields, overviews_per_field=2)
    assert data.overview_labels.size == 4
    for number, name in enumerate(data.overview_slides):
        overview, importance = data.overview(number)
        field = fields["ab".index(name)]
        np.testing.assert_array_equal(importance, field.importance)
        own = [overview_of(frame, field.grid, 8) for frame in field.frames]
        assert any(np.array_equal(np.rint(overview * 255), image) for image in own)


def test_unimportant_patches_and_those_without_a_label_are_not_learned_from(tmp_path: Path) -> None:
    importance = np.full((3, 4), 0.29, np.float32)
    importance[1, 1:3] = 0.31
    defocus = np.tile(np.arange(12, dtype=np.float32).reshape(3, 4), (3, 1, 1))
    defocus[:, 1, 2] = np.nan
    data = made_dataset(tmp_path, [made_field(importance=importance, defocus_um=defocus)], least_importance=0.3)
    np.testing.assert_array_equal(data.labels["defocus_um"], [5, 5, 5])


def test_no_patch_of_a_plane_is_stored_twice(tmp_path: Path) -> None:
    data = made_dataset(tmp_path, [made_field(planes=4)], patches_per_plane=8)
    assert len(data) == 32
    assert np.unique(data.labels["defocus_um"]).size == 32


def test_important_patches_are_likelier_to_be_stored(tmp_path: Path) -> None:
    importance = np.full((3, 4), 0.3, np.float32)
    importance[0] = 1.0
    data = made_dataset(tmp_path, [made_field(planes=90, importance=importance)], patches_per_plane=1)
    top = (data.labels["importance"] == 1).mean()
    assert 0.5 < top < 0.75  # 4 of 6.4 by weight, 4 of 12 by number


def test_slides_stains_and_densities_keep_their_names_over_several_shards(tmp_path: Path) -> None:
    _write(tmp_path, made_field("a"), made_field("b", stain="ihc"), name="shard-0000")
    _write(tmp_path, made_field("b", density="sparse"), made_field("c", signed=False), name="shard-0001")
    data = Dataset(tmp_path)
    own = {name: data.slides == name for name in "abc"}
    assert len(data) == sum(int(mask.sum()) for mask in own.values())
    assert set(data.stains[own["b"]]) == {"ihc", "he"}
    assert set(data.densities[own["b"]]) == {"dense", "sparse"}
    assert not data.labels["signed"][own["c"]].any()
    assert data.labels["signed"][own["a"]].all()
    assert list(data.overview_slides) == ["a"] * 3 + ["b"] * 6 + ["c"] * 3


def test_patches_of_several_shards_follow_one_another(tmp_path: Path) -> None:
    fields = [made_field("abc"[n], seed=n, planes=n + 1) for n in range(3)]
    for number, field in enumerate(fields):
        _write(tmp_path, field, name=f"shard-{number:04d}", patches_per_plane=5)
    data = Dataset(tmp_path)
    for number in range(len(data)):
        field = fields["abc".index(str(data.slides[number]))]
        plane, index = divmod(int(data.labels[number]["defocus_um"]), 100)
        own = field.frames[plane][field.grid.slices(index)]
        np.testing.assert_array_equal(np.rint(data.patch(number) * 255), own)


def test_a_shard_without_any_usable_patch_is_passed_over(tmp_path: Path) -> None:
    none = made_field("none", importance=np.zeros((3, 4), np.float32))
    _write(tmp_path, none, name="shard-0000")
    _write(tmp_path, made_field("some"), name="shard-0001", patches_per_plane=2)
    data = Dataset(tmp_path)
    assert len(data) == 6
    assert set(data.slides) == {"some"}
    assert data.patch(0).shape == (SIZE, SIZE, 3)
    assert data.overview_labels.size == 6


def test_data_without_any_usable_patch_have_none(tmp_path: Path) -> None:
    data = made_dataset(tmp_path, [made_field(importance=np.zeros((3, 4), np.float32))])
    assert len(data) == data.slides.size == 0


def test_a_shard_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    _write(tmp_path, made_field("whole"), name="shard-0000")

    def broken() -> Iterator[FieldSample]:
        yield made_field("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "shard-0001", broken(), Picking(), np.random.default_rng(0))
    assert set(Dataset(tmp_path).slides) == {"whole"}


def test_a_disk_that_fills_leaves_nothing_of_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("4096 requested and 512 written")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(InputError, match=r"shard-0000 cannot be written \(4096 req.*\); is the disk full\? Make room"):
        _write(tmp_path, made_field("lost"))
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_was_killed_half_written_is_ignored_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = np.save, []

    def killed(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise SystemExit
        save(*args)

    _write(tmp_path, made_field("whole"), name="shard-0000")
    with monkeypatch.context() as patched:
        patched.setattr(np, "save", killed)
        with pytest.raises(SystemExit):
            _write(tmp_path, made_field("half"), name="shard-0001")
    assert (tmp_path / "shard-0001.part").is_dir()
    assert set(Dataset(tmp_path).slides) == {"whole"}
    _write(tmp_path, made_field("again"), name="shard-0001")
    assert set(Dataset(tmp_path).slides) == {"whole", "again"}
    assert not (tmp_path / "shard-0001.part").exists()


def test_the_same_numbers_pick_the_same_patches(tmp_path: Path) -> None:
    first, again = (made_dataset(tmp_path / name, [made_field(planes=4)], patches_per_plane=3) for name in "ab")
    np.testing.assert_array_equal(first.labels, again.labels)


def test_a_folder_without_data_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no training data"):
        Dataset(tmp_path)


def test_a_shard_of_another_version_is_refused(tmp_path: Path) -> None:
    names = _write(tmp_path, made_field()) / "names.json"
    names.write_text(json.dumps(json.loads(names.read_text()) | {"format": 2}))
    with pytest.raises(InputError, match=r"format 2, this version reads 1; delete it"):
        Dataset(tmp_path)


@pytest.mark.parametrize("name", ["names.json", "patches.npy", "labels.npy", "overviews.npy", "importances.npy"])
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "foreign"])
def test_a_shard_that_cannot_be_read_is_refused_in_words(tmp_path: Path, name: str, damage: str) -> None:
    file = _write(tmp_path, made_field()) / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"empty": b"", "half": content[: len(content) // 2], "foreign": b"\x89PNG" * 50}[damage])
    with pytest.raises(InputError, match=r"delete .* and make it again") as refusal:
        Dataset(tmp_path)
    assert str(tmp_path) in str(refusal.value)


def test_frames_of_floats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8 or 16 bit; found float32"):
        _write(tmp_path, made_field(planes=1, frames=(np.zeros((64, 80, 3), np.float32),)))


def test_a_plane_whose_defocus_nobody_knows_is_stored_as_such(tmp_path: Path) -> None:
    data = made_dataset(tmp_path, [made_field(planes=1, defocus_um=np.full((1, 3, 4), np.nan, np.float32))])
    assert len(data) == 0
    assert np.isnan(data.overview_labels["defocus_um"]).all()
