"""What the stages are shown: which slides, in which turns, how bright; and the figures of their validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_fields import SIZE, STRIDE, both_kinds, held_name, made_dataset, made_field
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.disturbed.disturbances import Disturbances
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings
from napari_autofocus.models.samples import FieldSample
from napari_autofocus.models.seeing.overview import overview_of
from napari_autofocus.models.tasks import DefocusTask, Holding, ImportanceTask, turned

LOOKING = ImportanceSettings(reduction=8, patch_px=SIZE, stride_px=STRIDE, widths=(4,))


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return made_dataset(tmp_path, both_kinds(), patches_per_plane=12)


def _judging(data: Dataset, **changes: Any) -> DefocusTask:
    return DefocusTask(DefocusNetwork(), data, **{"dof_um": 1.0, **changes})


def _judged_by(data: Dataset, jitter: float) -> DefocusTask:
    return _judging(data, disturbances=Disturbances(gain_jitter=jitter))


def _looking(data: Dataset, **changes: Any) -> ImportanceTask:
    return ImportanceTask(ImportanceNetwork(LOOKING), data, **changes)


# --- Who is held back -------------------------------------------------------------------------------------------------


def test_every_patch_of_a_slide_goes_the_same_way(data: Dataset) -> None:
    task = _judging(data)
    assert set(data.slides[task.training]) == {held_name(False, 0), held_name(False, 1)}
    assert set(data.slides[task.validation]) == {held_name(True, 0)}
    assert len(task.training) + len(task.validation) == len(data)


def test_both_stages_hold_back_the_same_slides(data: Dataset) -> None:
    task = _looking(data)
    assert set(data.overview_slides[task.validation]) == {held_name(True, 0)}
    assert not set(data.overview_slides[task.training]) & {held_name(True, 0)}


def test_what_is_held_back_follows_from_the_names_alone_and_is_the_same_on_every_machine() -> None:
    names = np.array([f"simulated-{number}" for number in range(400)])
    held = Holding(share=0.05).held(names)
    np.testing.assert_array_equal(np.flatnonzero(held)[:4], [13, 17, 42, 46])
    np.testing.assert_array_equal(Holding(share=0.05).held(names[::-1]), held[::-1])
    assert 8 <= held.sum() <= 32


def test_more_slides_do_not_change_which_are_held_back() -> None:
    names = np.array([f"simulated-{number}" for number in range(2000)])
    np.testing.assert_array_equal(Holding().held(names)[:100], Holding().held(names[:100]))


def test_slides_may_be_named_to_be_held_back(data: Dataset) -> None:
    task = _judging(data, holding=Holding(slides=(held_name(False, 1),)))
    assert set(data.slides[task.validation]) == {held_name(False, 1)}
    assert set(data.slides[task.training]) == {held_name(False, 0), held_name(True, 0)}


def test_no_more_is_validated_on_than_wanted(data: Dataset) -> None:
    assert _judging(data, holding=Holding(most=5)).validation.size == 5


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_split_that_leaves_nothing_on_one_side_is_refused(data: Dataset, share: float) -> None:
    with pytest.raises(InputError, match=r"108 patches of 3 slides are too few .* add slides"):
        _judging(data, holding=Holding(share=share))
    with pytest.raises(InputError, match=r"9 overviews are too few .* add slides"):
        _looking(data, holding=Holding(share=share))


def test_data_without_patches_are_refused(tmp_path: Path) -> None:
    nothing = made_dataset(tmp_path, [made_field(importance=np.zeros((3, 4), np.float32))])
    with pytest.raises(InputError, match="0 patches of 0 slides"):
        _judging(nothing)


# --- Batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [_judging, _looking])
def test_a_batch_follows_from_the_seed_and_its_number(data: Dataset, make: Any) -> None:
    task, again, other = make(data, seed=3), make(data, seed=3), make(data, seed=4)
    for number in (7, 0):
        for name, value in task.batch(number, 6).items():
            assert torch.equal(value, again.batch(number, 6)[name])
    first = next(iter(task.batch(0, 6).values()))
    assert not torch.equal(first, next(iter(other.batch(0, 6).values())))
    assert not torch.equal(first, next(iter(task.batch(1, 6).values())))


def test_no_held_back_patch_is_ever_learned_from(data: Dataset) -> None:
    task = _judged_by(data, 0.0)
    learned, held = ({_pixels(data.patch(int(i))) for i in places} for places in (task.training, task.validation))
    shown = {_pixels(patch.numpy()) for number in range(60) for patch in task.batch(number, 16)["patches"]}
    assert shown == learned
    assert not held & shown


def test_labels_stay_with_their_patches_through_turns(data: Dataset) -> None:
    task = _judged_by(data, 0.0)
    batch = task.batch(2, 32)
    assert batch["patches"].shape == (32, 3, SIZE, SIZE)
    assert batch["patches"].dtype == batch["defocus_um"].dtype == torch.float32
    for patch, label in zip(batch["patches"], batch["defocus_um"], strict=True):
        own = [data.patch(int(i)) for i in np.flatnonzero(data.labels["defocus_um"] == float(label))]
        assert any(_is_turned(np.moveaxis(patch.numpy(), 0, -1), image) for image in own)


def _pixels(image: npt.NDArray[Any]) -> bytes:
    """What a patch shows, however it is turned."""
    return np.sort(np.rint(255 * image), axis=None).tobytes()


def _is_turned(image: npt.NDArray[Any], original: npt.NDArray[Any]) -> bool:
    return any(np.allclose(image, turned(original, turn), atol=1e-6) for turn in range(8))


def test_unsigned_patches_stay_unsigned(tmp_path: Path) -> None:
    fields = both_kinds()
    fields[0] = made_field(held_name(False, 0), signed=False, defocus_um=fields[0].defocus_um + 5000)
    batch = _judging(made_dataset(tmp_path, fields)).batch(0, 64)
    assert torch.equal(batch["signed"], batch["defocus_um"] < 5000)
    assert 0 < int(batch["signed"].sum()) < 64


@pytest.mark.parametrize("jitter", [0.0, 0.05, 0.3])
def test_colours_are_brightened_no_more_than_stated(data: Dataset, jitter: float) -> None:
    plain, lit = _judged_by(data, 0.0), _judged_by(data, jitter)
    before, after = plain.batch(1, 64)["patches"], lit.batch(1, 64)["patches"]
    gains = (after.sum(dim=(2, 3)) / before.sum(dim=(2, 3))).numpy()
    assert 1 - jitter - 1e-5 <= gains.min() <= 1 - 0.8 * jitter + 1e-5
    assert 1 + 0.8 * jitter - 1e-5 <= gains.max() <= 1 + jitter + 1e-5


def test_overviews_are_brightened_no_more_than_stated_and_never_beyond_full_light(tmp_path: Path) -> None:
    grey = (np.full((64, 80, 3), 100, np.uint8),) * 3
    lit = _looking(made_dataset(tmp_path / "grey", both_kinds(frames=grey))).batch(0, 200)["overviews"] / (100 / 255)
    assert 0.85 * 0.97 <= lit.min() < 0.86
    assert 1.14 < lit.max() <= 1.15 * 1.03
    tints = lit[:, :, 0, 0] / lit[:, :, 0, 0].mean(dim=1, keepdim=True)
    assert float((tints - 1).abs().max()) < 0.05
    white = (np.full((64, 80, 3), 250, np.uint8),) * 3
    assert _looking(made_dataset(tmp_path / "white", both_kinds(frames=white))).batch(0, 50)["overviews"].max() == 1


@pytest.mark.parametrize("shape", [(96, 96), (64, 112)])
def test_importance_turns_with_its_overview(tmp_path: Path, shape: tuple[int, int]) -> None:
    """An asymmetric field: its importance is how dark each patch is, which can be read off the turned overview."""
    grid = PatchGrid(shape, SIZE, STRIDE)
    rng = np.random.default_rng(0)
    light = np.kron(rng.integers(0, 256, (shape[0] // 16, shape[1] // 16)), np.ones((16, 16))).astype(np.uint8)
    importance = np.asarray(grid.block_sum(light) / SIZE**2 / 255, np.float32)
    frames = (np.repeat(light[..., None], 3, axis=2),) * 3
    defocus = np.zeros((3, *grid.shape), np.float32)
    fields = both_kinds(shape=shape, frames=frames, importance=importance, defocus_um=defocus)
    batch = _looking(made_dataset(tmp_path, fields), gain_jitter=0.0).batch(0, 40)
    side, step = SIZE // 8, STRIDE // 8
    means = nn.functional.avg_pool2d(batch["overviews"].mean(dim=1, keepdim=True), side, stride=step)
    torch.testing.assert_close(means, batch["importance"], atol=2e-3, rtol=0)
    assert len({label.numpy().tobytes() for label in batch["importance"]}) == (8 if shape[0] == shape[1] else 4)


@given(st.integers(1, 6), st.integers(1, 6))
def test_the_eight_turns_are_all_different_and_lose_no_pixel(rows: int, columns: int) -> None:
    image = np.arange(rows * columns * 2).reshape(rows, columns, 2)
    turns = [turned(image, turn) for turn in range(8)]
    for turn in turns:
        np.testing.assert_array_equal(np.sort(turn, axis=None), np.sort(image, axis=None))
    if min(rows, columns) > 1:
        assert len({(turn.shape, turn.tobytes()) for turn in turns}) == 8


# --- Validation -------------------------------------------------------------------------------------------------------


class HandMade(nn.Module):
    """Says what is written in a patch's first pixel: 20 µm · (red − 0.5), and green as the positive probability."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, patches: Tensor) -> Tensor:
        red, green = patches[:, 0, 0, 0], patches[:, 1, 0, 0]
        return torch.stack([20 * (red - 0.5), 0 * red, green], dim=1)


def _written(slide: str, truth_um: float, answer_um: float, positive: float = 0.5, **changes: Any) -> FieldSample:
    """A field of one patch: its truth, and what the hand-made network will answer, to 0.04 µm."""
    frame = np.zeros((SIZE, SIZE, 3), np.uint8)
    frame[..., 0], frame[..., 1] = round(255 * (answer_um / 20 + 0.5)), round(255 * positive)
    return made_field(
        slide,
        planes=1,
        shape=(SIZE, SIZE),
        frames=(frame,),
        defocus_um=np.full((1, 1, 1), truth_um, np.float32),
        importance=np.ones((1, 1), np.float32),
        **changes,
    )


def _figures(tmp_path: Path, *held: FieldSample) -> dict[str, float]:
    learned = _written(held_name(False, 0), 0, 0)
    return _judging(made_dataset(tmp_path, [learned, *held])).validate(HandMade()).figures


def test_the_figures_of_stage_two_are_those_of_the_answers(tmp_path: Path) -> None:
    name = held_name(True, 0)
    figures = _figures(
        tmp_path,
        _written(name, 2.0, 2.5),  # 0.5 off, right side
        _written(name, -8.0, -7.0, density="sparse"),  # 1 off, right side
        _written(name, 1.0, -1.0),  # 2 off, wrong side
        _written(name, 0.3, -0.3),  # within half a depth of field: no side to be right about
        _written(name, 4.0, -4.0, positive=0.5, signed=False),
        _written(name, -4.0, 4.0, positive=1.0, signed=False),
    )
    expected = {
        "score": (0.5 + 1 + 2 + 0.6) / 4,
        "median_um": 0.8,
        "direction": 2 / 3,
        "far_um": 1.0,
        "near_um": (0.5 + 2 + 0.6) / 3,
        "dense_um": (0.5 + 2 + 0.6) / 3,
        "sparse_um": 1.0,
        "even_undecided": 0.5,
    }
    assert figures == pytest.approx(expected, abs=0.045)


def test_figures_that_nothing_speaks_of_are_left_out(tmp_path: Path) -> None:
    """A range of ±3 µm has no patches far from focus; NaN could not be written into the package."""
    figures = _figures(tmp_path, _written(held_name(True, 0), 0.1, 0.2, density=""))
    assert set(figures) == {"score", "median_um", "near_um"}
    assert np.isfinite(list(figures.values())).all()


def test_figures_are_of_held_back_slides_only(tmp_path: Path) -> None:
    held = _written(held_name(True, 0), 1.0, 1.0)
    (tmp_path / "a").mkdir()
    good = made_dataset(tmp_path / "a", [_written(held_name(False, 0), 0, 9), held])
    assert _judging(good).validate(HandMade()).figures["score"] < 0.05


def test_a_validation_shows_truth_and_answer_of_samples_with_a_sign(tmp_path: Path) -> None:
    name = held_name(True, 0)
    fields = [_written(name, truth, truth + 0.5) for truth in (2.0, -3.0)]
    even = _written(name, 4.0, -4.0, signed=False)
    pairs = (
        _judging(made_dataset(tmp_path, [_written(held_name(False, 0), 0, 0), *fields, even]))
        .validate(HandMade())
        .pairs
    )
    assert pairs is not None
    assert sorted(pairs.true_um.tolist()) == [-3.0, 2.0]
    np.testing.assert_allclose(pairs.found_um, pairs.true_um + 0.5, atol=0.04)


@pytest.mark.parametrize("part", [slice(0, 3), slice(3, 8), slice(None)])
def test_parts_of_a_batch_are_parts_of_the_whole(data: Dataset, part: slice) -> None:
    for task in (_judging(data), _looking(data)):
        whole, own = task.batch(4, 8), task.batch(4, 8, part)
        assert all(torch.equal(own[name], whole[name][part]) for name in whole)


class Darkness(nn.Module):
    """Importance of a patch: its red, averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, overviews: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(overviews[:, :1], SIZE // 8, stride=STRIDE // 8)


def test_the_figures_of_stage_one_are_those_of_the_answers(tmp_path: Path) -> None:
    """Answers 0, 0.2, 0.4, 1 to importances 1, 0.6, 0.1, 0: two of two missed, two of two falsely found."""
    truth = np.array([[1.0, 0.6, 0.1, 0.0]], np.float32)
    frame = np.zeros((SIZE, 5 * STRIDE, 3), np.uint8)
    frame[:, 2 * STRIDE : 3 * STRIDE, 0] = 102
    frame[:, 3 * STRIDE :, 0] = 255
    frame[:, 3 * STRIDE : 4 * STRIDE, 0] = 102
    answers = Darkness()(
        torch.from_numpy(overview_of(frame, PatchGrid(frame.shape[:2], SIZE, STRIDE), 8)).permute(2, 0, 1)[None] / 255
    )[0, 0].numpy()
    np.testing.assert_allclose(answers, [[0, 0.2, 0.4, 0.7]], atol=0.01)
    field = {"shape": frame.shape[:2], "planes": 1, "frames": (frame,), "importance": truth}
    data = made_dataset(tmp_path, both_kinds(**field, defocus_um=np.zeros((1, 1, 4), np.float32)))
    figures = _looking(data).validate(Darkness()).figures
    assert figures == pytest.approx({"score": np.abs(answers - truth).mean(), "missed": 1.0, "false": 1.0}, abs=1e-3)


def test_both_losses_reach_every_weight(data: Dataset) -> None:
    torch.manual_seed(0)
    for task in (_judging(data), _looking(data)):
        task.loss(task.network, task.batch(0, 8)).backward()  # type: ignore[no-untyped-call]
        without = [name for name, value in task.network.named_parameters() if value.grad is None]
        assert without == []


def test_patches_of_another_kind_of_colour_do_not_stop_a_grey_network(tmp_path: Path) -> None:
    grey = tuple(frame[..., 0] for frame in made_field().frames)
    data = made_dataset(tmp_path, both_kinds(frames=grey))
    task = DefocusTask(DefocusNetwork(DefocusSettings(channels=1)), data, dof_um=1.0)
    assert task.batch(0, 4)["patches"].shape == (4, 1, SIZE, SIZE)
    assert np.isfinite(float(task.loss(task.network, task.batch(0, 4)).detach()))
