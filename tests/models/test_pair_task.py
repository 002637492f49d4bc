"""Two shots to a difference image, and what is learned from it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from napari_autofocus.errors import InputError
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.models.dataset import Dataset, Picking, write_shard
from napari_autofocus.models.defocus import ChannelNormalisation, DefocusNetwork, DefocusSettings
from napari_autofocus.models.difference import difference_image
from napari_autofocus.models.pair.task import PairTask, ShownShots, as_jpeg
from napari_autofocus.models.simulated.pairs import SimulatedPairs, pair_optics, simulate_pair_fields, simulate_pairs
from napari_autofocus.models.tasks import Holding

FIELDS = SimulatedPairs(
    shape=(192, 192), pairs=3, patch_px=64, stride_px=32, densities=("dense",), density_shares=(1.0,)
)
AS_THEY_ARE = ShownShots(jpeg=0.0, drift_px=0.0, flicker=0.0, gain_jitter=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("pairs")
    picking = Picking(patches_per_plane=4, overviews_per_field=0, least_importance=0.0)
    write_shard(folder / "shard-0000", simulate_pair_fields(FIELDS, range(3)), picking, np.random.default_rng(0))
    return Dataset(folder)


def _task(data: Dataset, shown: ShownShots = AS_THEY_ARE) -> PairTask:
    network = DefocusNetwork(DefocusSettings(backbone="mobilenet_v2", width=0.25, normalisation="channel"))
    return PairTask(network, data, dof_um=1.0, holding=Holding(slides=("simulated-2",)), shown=shown)


# --- The difference image ---------------------------------------------------------------------------------------------


def test_the_difference_is_that_of_the_filtered_shots_filtered_once_more() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    filtered = [cv2.medianBlur(shot, 3).astype(np.float32) for shot in (first, second)]
    wanted = cv2.medianBlur((filtered[1] - filtered[0]) / 255, 3)
    assert np.allclose(difference_image(first, second, 255.0), wanted, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_types_agree(dtype: type) -> None:
    first, second = np.random.default_rng(1).integers(0, 256, (2, 40, 50), dtype=np.uint8)
    scale = 257 if dtype is np.uint16 else 1
    full = 65535.0 if dtype is np.uint16 else 255.0
    wide = difference_image(first.astype(dtype) * scale, second.astype(dtype) * scale, full)
    assert np.allclose(wide, difference_image(first, second, 255.0), atol=1e-6)


def test_swapped_shots_give_the_opposite_difference() -> None:
    first, second = np.random.default_rng(2).integers(0, 256, (2, 30, 30, 3), dtype=np.uint8)
    assert np.array_equal(difference_image(first, second, 255.0), -difference_image(second, first, 255.0))


def test_coarse_colour_and_single_hot_pixels_drop_out() -> None:
    first = np.full((30, 30, 3), (200, 120, 90), np.uint8)
    second = first.copy()
    second[10, 10] = 255
    assert not difference_image(first, second, 255.0).any()


def test_shots_of_different_shape_are_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        difference_image(np.zeros((8, 8)), np.zeros((8, 9)), 1.0)


def test_each_channel_is_brought_to_zero_mean_and_unit_deviation() -> None:
    torch.manual_seed(0)
    patches = torch.randn(2, 3, 32, 32) * torch.tensor([0.1, 0.3, 0.2])[:, None, None] + 0.1
    normalised = ChannelNormalisation()(patches)
    assert normalised.mean(dim=(2, 3)).abs().max() < 1e-5
    assert torch.allclose(normalised.std(dim=(2, 3)), torch.ones(2, 3), atol=0.03)
    assert ChannelNormalisation()(patches * 0).abs().max() == 0


def test_an_unknown_normalisation_is_refused() -> None:
    with pytest.raises(InputError, match="one of patch, faint, channel; found 'image'"):
        DefocusSettings(normalisation="image")  # type: ignore[arg-type]


# --- Simulated pairs --------------------------------------------------------------------------------------------------


def test_the_nearer_shot_to_focus_is_the_sharper_one() -> None:
    for pair in simulate_pairs(FIELDS, range(2), 4, 6.0, shape=(192, 192)):
        away = abs(pair.true_um) - abs(pair.true_um - pair.dz_um)
        if abs(away) > 1:
            sharper = sharpness(pair.second) > sharpness(pair.first)
            assert sharper == (away < 0)


def test_labels_are_the_defocus_of_the_second_shot(data: Dataset) -> None:
    """Through the sharpness of both halves of the stored patches."""
    right = []
    for index, record in enumerate(data.labels):
        second, first = abs(record["defocus_um"]), abs(record["defocus_um"] - FIELDS.dz_um)
        if abs(second - first) > 1.5 and min(first, second) < 3:
            both = data.patch(index)
            right.append((sharpness(both[..., 3:]) > sharpness(both[..., :3])) == (second < first))
    assert len(right) >= 4
    assert np.mean(right) >= 0.9


def test_mirrored_optics_exchange_the_sides_of_focus() -> None:
    plain, mirrored = pair_optics("20x/0.75", "off_nominal", 3), pair_optics("20x/0.75", "mirrored", 3)
    assert mirrored.spherical_waves == -plain.spherical_waves
    assert mirrored.colour_offsets_um == tuple(-shift for shift in plain.colour_offsets_um)
    assert pair_optics("20x/0.75", "even", 3).even


# --- What is shown ----------------------------------------------------------------------------------------------------


def test_a_batch_holds_differences_and_follows_from_its_number_alone(data: Dataset) -> None:
    batch = _task(data).batch(5, 4)
    assert batch["patches"].shape == (4, 3, 64, 64)
    assert torch.equal(batch["patches"], _task(data).batch(5, 4)["patches"])
    part = _task(data).batch(5, 4, slice(1, 3))
    assert torch.equal(part["patches"], batch["patches"][1:3])
    assert torch.equal(part["defocus_um"], batch["defocus_um"][1:3])


def test_a_crop_is_shown_where_asked_for(data: Dataset) -> None:
    task = _task(data, ShownShots(crop_px=48))
    assert task.batch(0, 2)["patches"].shape == (2, 3, 48, 48)
    with torch.inference_mode():
        assert task.validate(task.network.eval()).figures["score"] > 0


def test_jpeg_keeps_colours_in_their_places() -> None:
    image = np.zeros((32, 32, 3), np.float32)
    image[..., 0] = 0.8
    assert np.allclose(as_jpeg(image, 95).mean(axis=(0, 1)), (0.8, 0, 0), atol=0.03)
    grey = np.full((32, 32, 1), 0.5, np.float32)
    assert as_jpeg(grey, 75).shape == (32, 32, 1)


def test_every_variation_changes_what_is_shown(data: Dataset) -> None:
    plain = _task(data).batch(0, 4)["patches"]
    changes = {"jpeg": 1.0, "drift_px": 0.5, "flicker": 0.05, "gain_jitter": 0.3}
    for name, value in changes.items():
        varied = ShownShots(**{**dict.fromkeys(changes, 0.0), name: value})
        assert not torch.equal(_task(data, varied).batch(0, 4)["patches"], plain), name


def test_every_weight_learns(data: Dataset) -> None:
    task = _task(data)
    loss = task.loss(task.network, task.batch(0, 4))
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in task.network.parameters())
