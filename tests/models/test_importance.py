"""The Region Importance Network: a score for each patch of the grid, at the place of that patch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings
from napari_autofocus.models.seeing.frame import ModelFrame

SMALL = ImportanceSettings(reduction=8, patch_px=32, stride_px=16, widths=(8,))


def _overview(shape: tuple[int, int], looking: ImportanceSettings) -> tuple[PatchGrid, Tensor]:
    grid = PatchGrid(shape, looking.patch_px, looking.stride_px)
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    return grid, torch.from_numpy(ModelFrame.of(frame).overview(grid, looking.reduction, 3))


@pytest.mark.parametrize("looking", [ImportanceSettings(), SMALL], ids=["shipped", "small"])
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_there_is_one_score_for_each_patch_whatever_the_field(looking: ImportanceSettings, data: st.DataObject) -> None:
    sides = st.integers(looking.patch_px, 6 * looking.patch_px + 5)
    grid, overview = _overview((data.draw(sides), data.draw(sides)), looking)
    network = ImportanceNetwork(looking).eval()
    with torch.inference_mode():
        found = network(overview)
    assert found.shape == (1, 1, *grid.shape)
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("shape", [(1024, 1224), (2048, 2048), (128, 128), (128, 4000)])
def test_the_shipped_network_fits_the_usual_cameras(shape: tuple[int, int]) -> None:
    grid, overview = _overview(shape, ImportanceSettings())
    with torch.inference_mode():
        assert ImportanceNetwork().eval()(overview).shape == (1, 1, *grid.shape)


def test_a_patchs_score_looks_at_its_own_place_first() -> None:
    """The gradient of each score with respect to the overview, averaged over random weights, lies around the patch,
    to less than half a stride."""
    size, step = SMALL.patch_px // SMALL.reduction, SMALL.stride_px // SMALL.reduction
    rows, columns = 9, 11
    sensitivity = torch.zeros(step * (rows - 1) + size, step * (columns - 1) + size)
    for seed in range(20):
        torch.manual_seed(seed)
        network = ImportanceNetwork(SMALL).eval()
        overview = torch.rand(1, 3, *sensitivity.shape, requires_grad=True)
        network.logits(overview)[0, 0, 4, 6].backward()  # type: ignore[no-untyped-call]
        assert overview.grad is not None
        sensitivity += overview.grad[0].abs().sum(dim=0)
    weight = sensitivity / sensitivity.sum()
    y = float((weight.sum(dim=1) * torch.arange(len(weight))).sum())
    x = float((weight.sum(dim=0) * torch.arange(weight.shape[1])).sum())
    assert y == pytest.approx(4 * step + (size - 1) / 2, abs=0.75)
    assert x == pytest.approx(6 * step + (size - 1) / 2, abs=0.75)


def _blobs(rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Overviews with a dark blob in the middle of one patch each, and which patch that is."""
    size, step, (rows, columns) = 4, 2, (7, 9)
    places = np.stack([rng.integers(0, rows, count), rng.integers(0, columns, count)], axis=1)
    y, x = np.mgrid[: step * (rows - 1) + size, : step * (columns - 1) + size]
    centres = places * step + (size - 1) / 2
    away = (y - centres[:, :1, None]) ** 2 + (x - centres[:, 1:, None]) ** 2
    light = 0.85 - 0.4 * np.exp(-away / 2) + rng.normal(0, 0.01, away.shape)
    truth = np.zeros((count, 1, rows, columns), np.float32)
    truth[np.arange(count), 0, places[:, 0], places[:, 1]] = 1
    return torch.from_numpy(np.repeat(light[:, None], 3, axis=1).astype(np.float32)), torch.from_numpy(truth)


def test_a_taught_network_finds_a_lone_blob_in_its_own_patch() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = ImportanceNetwork(SMALL).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(100):
        overviews, truth = _blobs(rng, 32)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network.logits(overviews), truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    overviews, truth = _blobs(rng, 200)
    with torch.inference_mode():
        found = network.eval()(overviews)
    right = found.flatten(1).argmax(dim=1) == truth.flatten(1).argmax(dim=1)
    assert float(right.float().mean()) > 0.97


def test_the_light_outside_the_grid_is_not_looked_at() -> None:
    shape = (70, 85)
    grid = PatchGrid(shape, SMALL.patch_px, SMALL.stride_px)
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    (y, x), (rows, columns) = grid.origin, grid.shape
    framed = np.zeros_like(frame)
    inside = slice(y, y + 16 * (rows + 1)), slice(x, x + 16 * (columns + 1))
    framed[inside] = frame[inside]
    assert (framed != frame).any()
    network = ImportanceNetwork(SMALL).eval()
    with torch.inference_mode():
        one, other = (network(torch.from_numpy(ModelFrame.of(image).overview(grid, 8, 3))) for image in (frame, framed))
    torch.testing.assert_close(one, other)


def test_patches_that_are_not_twice_their_stride_are_refused() -> None:
    with pytest.raises(InputError, match="twice their stride wide; found 96 and 64 px"):
        ImportanceSettings(patch_px=96, stride_px=64)


def test_halvings_that_do_not_lead_to_the_stride_are_refused() -> None:
    with pytest.raises(InputError, match="2 halvings of an overview reduced 8 times give a stride of 32 px; found 64"):
        ImportanceSettings(widths=(16, 32))


def test_relative_contrast_does_not_know_the_exposure() -> None:
    torch.manual_seed(0)
    network = ImportanceNetwork(ImportanceSettings(channels=1, contrast="relative")).eval()
    overview = 0.3 + 0.5 * torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        bright, dim = network(overview), network(overview / 4)
    assert torch.allclose(bright, dim, atol=0.01)
