"""What virtual refocusing learns from: places of simulated slides, stored, shown and scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_autofocus.errors import InputError
from napari_autofocus.models.refocus.evaluation import evaluate_refocus, refocus_figures, sharper_of
from napari_autofocus.models.refocus.samples import FULL_SCALE, RefocusDataset, RefocusSample, write_refocus_shard
from napari_autofocus.models.refocus.task import RefocusTask, ShownPairs, photographed, psnr_db
from napari_autofocus.models.simulated.places import SimulatedPlaces, simulate_places, simulate_shots
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.training import TrainingSettings, train
from napari_autofocus.models.tsva import TsvaNetwork, TsvaSettings, ordered

PLACES = SimulatedPlaces(
    shape=(160, 160), side_px=64, places=2, pairs=3, densities=("dense",), density_shares=(1.0,), off_nominal_share=0.0
)
PLAIN = ShownPairs(crop_px=48, gain_jitter=0.0, drift_px=0.0, focused=0.0, misplaced=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RefocusDataset:
    folder = tmp_path_factory.mktemp("places")
    write_refocus_shard(folder / "shard-0000", simulate_places(PLACES, range(2)))
    write_refocus_shard(folder / "shard-0001", simulate_places(PLACES, range(2, 3)))
    return RefocusDataset(folder)


def _task(data: RefocusDataset, shown: ShownPairs = PLAIN) -> RefocusTask:
    network = TsvaNetwork(TsvaSettings(width=4, levels=2))
    return RefocusTask(network, data, holding=Holding(slides=("simulated-2",)), shown=shown)


# --- Places -----------------------------------------------------------------------------------------------------------


def test_places_are_the_same_for_the_same_seed_and_differ_between_seeds() -> None:
    once, again = (next(simulate_places(PLACES, [7])) for _ in range(2))
    assert np.array_equal(once.truth, again.truth)
    assert np.array_equal(once.shots, again.shots)
    assert not np.array_equal(once.truth, next(simulate_places(PLACES, [8])).truth)


def test_the_nearer_to_focus_the_likelier_a_shot_is_to_its_truth() -> None:
    for place in simulate_places(replace(PLACES, pairs=5, astray=0), range(2)):
        far = np.stack([np.abs(place.error_um - place.half_um), np.abs(place.error_um + place.half_um)], axis=1)
        error = np.square(place.shots.astype(float) - place.truth).mean(axis=(2, 3, 4))
        nearest, farthest = np.unravel_index(far.argmin(), far.shape), np.unravel_index(far.argmax(), far.shape)
        assert error[nearest] < error[farthest] / 4


def test_shards_read_back_as_they_were_written(data: RefocusDataset) -> None:
    assert len(data) == 6
    assert (data.pairs, data.side_px, data.channels) == (3, 64, 3)
    third = next(simulate_places(PLACES, [2]))
    truth, shots = data.place(4, 1)
    assert np.array_equal(truth, third.truth)
    assert np.array_equal(shots, third.shots[1])
    assert list(data.slides[-2:]) == ["simulated-2"] * 2


def test_a_full_disk_leaves_no_half_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(InputError, match="No space left"):
        write_refocus_shard(tmp_path / "shard-0000", simulate_places(PLACES, [0]))
    assert not list(tmp_path.iterdir())


def test_data_of_another_version_or_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training data"):
        RefocusDataset(tmp_path)
    folder = write_refocus_shard(tmp_path / "shard-0000", simulate_places(PLACES, [0]))
    names = (folder / "names.json").read_text(encoding="utf-8")
    (folder / "names.json").write_text(names.replace('"format": 1', '"format": 9'), encoding="utf-8")
    with pytest.raises(InputError, match="format 9"):
        RefocusDataset(tmp_path)


# --- What is shown ----------------------------------------------------------------------------------------------------


def test_a_batch_follows_from_its_number_alone(data: RefocusDataset) -> None:
    once, again, other = _task(data).batch(3, 4), _task(data).batch(3, 4), _task(data).batch(4, 4)
    assert torch.equal(once["shots"], again["shots"])
    assert not torch.equal(once["shots"], other["shots"])
    assert once["shots"].shape == (4, 6, 48, 48)
    assert once["truth"].shape == (4, 3, 48, 48)


def test_a_part_of_a_batch_is_what_the_whole_would_hold_there(data: RefocusDataset) -> None:
    whole, part = _task(data).batch(0, 6), _task(data).batch(0, 6, slice(2, 5))
    assert torch.equal(part["shots"], whole["shots"][2:5])


def test_focused_samples_show_the_truth_twice_but_for_noise(data: RefocusDataset) -> None:
    batch = _task(data, replace(PLAIN, focused=1.0)).batch(0, 4)
    for shot in (batch["shots"][:, :3], batch["shots"][:, 3:]):
        assert psnr_db(shot, batch["truth"]).min() > 38


def test_misplaced_samples_show_another_place_in_the_second_shot(data: RefocusDataset) -> None:
    shown = replace(PLAIN, focused=0.0, misplaced=1.0, crop_px=32)
    batch, usual = _task(data, shown).batch(0, 8), _task(data, replace(shown, misplaced=0.0)).batch(0, 8)
    assert torch.equal(batch["truth"], usual["truth"])
    apart = (batch["shots"] - usual["shots"]).abs().amax(dim=(2, 3))
    assert (apart[:, 3:].amax(dim=1) > 0.05).sum() >= 6


def test_the_camera_s_noise_is_shot_noise(data: RefocusDataset) -> None:
    light = np.full((200, 200, 3), 0.64, np.float32)
    taken = photographed(light, 40_000.0, 0.0, False, np.random.default_rng(0))
    assert taken.std() == pytest.approx(np.sqrt(0.64 / 40_000), rel=0.02)
    steps = photographed(light, 40_000.0, 5.0, True, np.random.default_rng(0)) * 255
    assert np.allclose(steps, np.round(steps), atol=1e-4)


def test_noisy_samples_get_no_more_noise(tmp_path: Path) -> None:
    place = next(simulate_places(PLACES, [0]))
    noisy = RefocusSample(place.truth, place.shots, place.half_um, place.error_um, True, "a")
    write_refocus_shard(tmp_path / "shard-0000", [noisy])
    task = RefocusTask(
        TsvaNetwork(TsvaSettings(width=4)), RefocusDataset(tmp_path), holding=Holding(slides=()), shown=PLAIN
    )
    shots = task.batch(0, 1)["shots"] * FULL_SCALE
    assert torch.allclose(shots, shots.round(), atol=0.02)


def test_a_network_of_other_channels_is_refused(data: RefocusDataset) -> None:
    with pytest.raises(InputError, match="channels"):
        RefocusTask(TsvaNetwork(TsvaSettings(channels=1)), data, holding=Holding(slides=()))


# --- What is minimised, and what is measured --------------------------------------------------------------------------


def test_the_untaught_network_neither_gains_nor_loses(data: RefocusDataset) -> None:
    task = _task(data)
    figures = task.validate(task.network.eval()).figures
    assert figures["gain_db"] == pytest.approx(0, abs=1e-4)
    assert figures["score"] == pytest.approx(1, abs=1e-4)


def test_the_loss_is_never_negative_and_falls_when_taught(data: RefocusDataset) -> None:
    torch.manual_seed(0)
    task = _task(data)
    seen = task.batch(0, 8)
    before = float(task.loss(task.network, seen).detach())
    settings = TrainingSettings(
        samples=480, batch=8, learning_rate=4e-3, hold=0.9, averaging=0.9, validate_every=240, weight_decay=0.0
    )
    steps = list(train(task, settings))
    after = float(task.loss(task.network, seen).detach())
    assert 0 < after < before - 0.3
    assert all(0 < step.figures["score"] < 1.2 for step in steps if step.validated)


def test_the_uncertainty_alone_does_not_change_the_image(data: RefocusDataset) -> None:
    task = _task(data)
    batch = task.batch(0, 2)
    found = task.network(batch["shots"])
    square = (found[:, :3] - batch["truth"]).square()
    task._doubt_loss(found[:, 3:], square, TsvaNetwork.floor**2).backward()  # type: ignore[no-untyped-call]
    image_rows = task.network.last.weight.grad
    assert image_rows is not None
    assert image_rows[:12].abs().max() == 0  # the rows that give the image: 3 colours, 2 x 2 folded
    assert image_rows[12:].abs().max() > 0


def test_figures_say_what_was_gained_over_the_sharper_shot() -> None:
    shots = list(simulate_shots(PLACES, range(2), (0.5, 2.0)))
    assert [pair.half_um for pair in shots] == [0.5, 2.0, 0.5, 2.0]
    perfect = {id(pair.first): pair.light for pair in shots}
    results = list(evaluate_refocus(lambda first, _: perfect[id(first)], shots))
    same = list(evaluate_refocus(sharper_of, shots))
    assert all(result.recovered_db > 100 for result in results)
    assert all(result.recovered_db == pytest.approx(result.sharper_db) for result in same)
    figures = refocus_figures(same)
    assert figures["pairs"] == 4
    assert figures["gain_db"] == pytest.approx(0)
    assert set(figures["by_half_um"]) == {"0.5", "2"}
    assert refocus_figures([]) == {"pairs": 0, "by_half_um": {}}


def test_the_sharper_shot_is_the_network_s_own() -> None:
    for pair in simulate_shots(PLACES, range(3), (1.5,)):
        both = np.concatenate([pair.first, pair.second], axis=2).astype(np.float32) / 255
        first, _ = ordered(torch.from_numpy(both).permute(2, 0, 1)[None])
        assert np.allclose(first[0].permute(1, 2, 0).numpy() * 255, sharper_of(pair.first, pair.second), atol=1e-3)
