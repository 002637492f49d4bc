"""The loop that teaches: exact resume, schedule, moving average, early stop, and what it refuses."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_fields import weights
from torch import Tensor
from toys import SHORT, Toy, assert_same, finish, timeless

from napari_autofocus.errors import InputError
from napari_autofocus.models import training
from napari_autofocus.models.learning import run as training_run
from napari_autofocus.models.learning.network import groups
from napari_autofocus.models.training import TrainingSettings, train


def _stopped_after(steps: int, task: Toy, settings: TrainingSettings, checkpoint: Path) -> None:
    running = train(task, settings, checkpoint, every=1)
    for _ in range(steps):
        next(running)
    running.close()


# --- Going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stops", [(1,), (3,), (5,), (9,), (2, 4, 1)])
def test_a_run_that_was_stopped_ends_bit_for_bit_as_one_that_was_not(tmp_path: Path, stops: tuple[int, ...]) -> None:
    straight, halting = Toy(), Toy()
    _, whole = finish(train(straight, SHORT))
    for steps in stops:
        halting = Toy()
        _stopped_after(steps, halting, SHORT, tmp_path / "run.safetensors")
    halting = Toy()
    _, pieced = finish(train(halting, SHORT, tmp_path / "run.safetensors"))
    assert_same(weights(pieced.network), weights(whole.network))
    assert_same(weights(halting.network), weights(straight.network))
    assert timeless(pieced.history) == timeless(whole.history)
    assert pieced.samples == whole.samples == 80


def test_a_run_may_be_stopped_between_two_reports(tmp_path: Path) -> None:
    """Reports come every third step here; what happened since the last one counts too."""
    _, whole = finish(train(Toy(), SHORT))
    halting = train(Toy(), SHORT, tmp_path / "run.safetensors", every=4)
    next(halting)
    halting.close()
    _, pieced = finish(train(Toy(), SHORT, tmp_path / "run.safetensors", every=4))
    assert_same(weights(pieced.network), weights(whole.network))


def test_stopping_leaves_what_was_learned_so_far(tmp_path: Path) -> None:
    """Before the first validation too."""
    _stopped_after(2, Toy(), SHORT, tmp_path / "run.safetensors")
    steps, _ = finish(train(Toy(), SHORT, tmp_path / "run.safetensors", every=1))
    assert [step.samples for step in steps] == [24, 32, 40, 48, 56, 64, 72, 80]


def test_a_run_goes_on_with_more_samples(tmp_path: Path) -> None:
    longer = TrainingSettings(samples=160, batch=8, validate_every=24, learning_rate=0.01)
    _, first = finish(train(Toy(), SHORT, tmp_path / "run.safetensors"))
    before = weights(first.network)
    steps, second = finish(train(Toy(), longer, tmp_path / "run.safetensors", every=1))
    assert steps[0].samples == 88
    assert second.samples == 160
    assert second.history[: len(first.history)] == first.history
    assert not torch.equal(before["6.weight"], second.network.state_dict()["6.weight"])


def test_a_finished_run_learns_nothing_more(tmp_path: Path) -> None:
    _, first = finish(train(Toy(), SHORT, tmp_path / "run.safetensors"))
    task = Toy()
    steps, again = finish(train(task, SHORT, tmp_path / "run.safetensors"))
    assert_same(weights(first.network), weights(again.network))
    assert steps == []
    assert task.validated == 0
    assert (again.samples, again.history) == (first.samples, first.history)


def test_a_run_that_patience_ended_has_ended(tmp_path: Path) -> None:
    patient = TrainingSettings(samples=8000, batch=8, validate_every=8, patience=2)
    _, first = finish(train(Toy(scores=[3, 2, 4, 5, 1]), patient, tmp_path / "run.safetensors"))
    assert first.samples == 32
    task = Toy(scores=[1, 1, 1])
    _, again = finish(train(task, patient, tmp_path / "run.safetensors"))
    assert again.samples == 32
    assert task.validated == 0


def test_without_a_checkpoint_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    finish(train(Toy(), SHORT))
    assert list(tmp_path.iterdir()) == []


def test_batches_come_once_each_in_order_and_from_another_thread() -> None:
    task = Toy(scores=[1.0] * 9)
    finish(train(task, SHORT))
    assert [number for number, _, _ in task.made] == list(range(10))
    assert {size for _, size, _ in task.made} == {8}
    assert threading.get_ident() not in {thread for _, _, thread in task.made}


# --- Learning ---------------------------------------------------------------------------------------------------------


def test_what_can_be_learned_is_learned() -> None:
    task = Toy()
    before = task.validate(task.network.eval()).figures["score"]
    settings = TrainingSettings(samples=8000, batch=32, learning_rate=0.02, averaging=0.9, validate_every=4000)
    steps, taught = finish(train(task, settings))
    assert before > 0.5
    assert taught.history[-1]["score"] < 0.1
    assert steps[-1].figures == taught.history[-1]
    assert not taught.network.training


def test_the_average_forgets_its_beginnings_and_then_moves_at_its_decay() -> None:
    """After batch n the average keeps min(decay, (1 + n)/(10 + n)) of itself, n counted from 0; the first is a copy."""
    task = Toy(scores=[1.0] * 99)
    settings = TrainingSettings(samples=240, batch=8, learning_rate=0.01, averaging=0.6, validate_every=240)
    running = train(task, settings, every=1)
    expected: dict[str, Tensor] = {}
    for number in range(30):
        next(running)
        now = {name: value.double() for name, value in weights(task.network).items()}
        kept = 0.0 if number == 0 else min(0.6, (1 + number) / (10 + number))
        expected = {name: kept * expected.get(name, value) + (1 - kept) * value for name, value in now.items()}
    _, taught = finish(running)
    for name, value in taught.network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), expected[name], atol=1e-5, rtol=1e-4)


def test_biases_and_normalisation_do_not_decay() -> None:
    decaying, others = groups(Toy().network, 0.02)
    assert {parameter.ndim for parameter in decaying["params"]} == {2, 4}
    assert {parameter.ndim for parameter in others["params"]} == {1}
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.02, 0.0)


# --- Schedule ---------------------------------------------------------------------------------------------------------


def test_the_rate_rises_holds_and_falls_by_a_cosine() -> None:
    settings = TrainingSettings(learning_rate=1e-3, warmup=0.1, hold=0.5)
    rates = [settings.rate_at(share) for share in (0, 0.05, 0.1, 0.3, 0.5, 0.75, 1.0, 1.2)]
    assert rates == pytest.approx([0, 5e-4, 1e-3, 1e-3, 1e-3, 5e-4, 0, 0], abs=1e-12)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1.5))
def test_the_rate_stays_between_nothing_and_its_height(warmup: float, hold: float, share: float) -> None:
    settings = TrainingSettings(warmup=min(warmup, hold), hold=max(warmup, hold))
    assert 0 <= settings.rate_at(share) <= settings.learning_rate


def test_a_rate_without_warm_up_and_fall_is_constant() -> None:
    settings = TrainingSettings(warmup=0, hold=1)
    assert {settings.rate_at(share) for share in (0, 0.5, 1)} == {settings.learning_rate}


def test_the_optimiser_follows_the_schedule() -> None:
    settings = TrainingSettings(samples=80, batch=8, warmup=0.2, hold=0.5, validate_every=80)
    steps, _ = finish(train(Toy(), settings, every=1))
    expected = [settings.rate_at(number / 10) for number in range(1, 11)]
    assert [step.learning_rate for step in steps] == pytest.approx(expected)


@pytest.mark.parametrize(("samples", "batch", "steps"), [(1, 64, 1), (64, 64, 1), (65, 64, 2), (600_000, 64, 9375)])
def test_every_sample_is_shown(samples: int, batch: int, steps: int) -> None:
    assert TrainingSettings(samples=samples, batch=batch).steps == steps


class Watch:
    """A clock on which a step takes six seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        self.now += 6.0
        return self.now


def test_with_minutes_the_run_and_its_schedule_follow_the_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watch = Watch()
    monkeypatch.setattr(training, "time", watch)
    monkeypatch.setattr(training_run, "time", watch)
    settings = TrainingSettings(samples=10**6, batch=8, minutes=1.0, validate_every=10**6, hold=0.5)
    steps, taught = finish(train(Toy(), settings, tmp_path / "run.safetensors", every=1))
    assert len(steps) == 10
    assert taught.seconds >= 60
    assert steps[4].learning_rate == settings.learning_rate
    assert steps[8].learning_rate < 0.2 * settings.learning_rate
    assert min(step.seconds_left for step in steps) >= 0
    assert steps[4].seconds_left == pytest.approx(30)
    again, _ = finish(train(Toy(), settings, tmp_path / "run.safetensors", every=1))
    assert again == []


def test_samples_are_the_most_that_is_shown_in_the_time() -> None:
    settings = TrainingSettings(samples=80, batch=8, minutes=60.0, validate_every=80)
    _, taught = finish(train(Toy(), settings))
    assert taught.samples == 80


def test_validations_come_at_their_distance_and_in_the_end() -> None:
    settings = TrainingSettings(samples=80, batch=8, validate_every=24)
    steps, taught = finish(train(Toy(), settings, every=1))
    assert [step.samples for step in steps if step.validated] == [24, 48, 72, 80]
    assert [figures["samples"] for figures in taught.history] == [24, 48, 72, 80]
    assert steps[0].figures == {}


@pytest.mark.parametrize(
    ("scores", "validations"),
    [([5, 4, 3, 2, 1, 0], 6), ([5, 6, 7, 8, 9, 9], 3), ([5, 6, 4, 5, 3, 9], 6), ([5, 5, 5, 5, 5, 5], 3)],
)
def test_training_stops_when_it_has_not_got_better_for_so_long(scores: list[float], validations: int) -> None:
    task = Toy(scores=scores)
    finish(train(task, TrainingSettings(samples=48, batch=8, validate_every=8, patience=2)))
    assert task.validated == validations


def test_without_patience_all_is_shown() -> None:
    task = Toy(scores=[1, 1.5, 2, 2.5, 2.6, 2.7])
    finish(train(task, TrainingSettings(samples=48, batch=8, validate_every=8, patience=0)))
    assert task.validated == 6


def test_progress_never_claims_more_than_there_is() -> None:
    steps, _ = finish(train(Toy(), TrainingSettings(samples=20, batch=8, validate_every=20), every=1))
    assert [(step.samples, step.total) for step in steps] == [(8, 20), (16, 20), (20, 20)]


# --- What is refused --------------------------------------------------------------------------------------------------


def test_what_goes_wrong_with_a_batch_is_told_and_loses_nothing(tmp_path: Path) -> None:
    class Broken(Toy):
        def batch(self, number: int, size: int, part: slice = slice(None)) -> dict[str, Tensor]:
            if number == 6:
                raise InputError("The shard is gone.")
            return super().batch(number, size, part)

    path = tmp_path / "run.safetensors"
    with pytest.raises(InputError, match="The shard is gone"):
        finish(train(Broken(), SHORT, path))
    steps, _ = finish(train(Toy(), SHORT, path, every=1))
    assert steps[0].samples == 56


@pytest.mark.parametrize("device", ["gpu", "cuda:77", "cpu:x", ""])
def test_a_device_that_torch_does_not_have_is_refused_in_words(device: str) -> None:
    with pytest.raises(InputError, match=r"torch cannot train on the device .* choose cpu"):
        next(train(Toy(), TrainingSettings(device=device)))


def test_the_checkpoint_of_another_network_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    finish(train(Toy(width=4), SHORT, path))
    content = path.read_bytes()
    with pytest.raises(InputError, match="checkpoint of another network"):
        next(train(Toy(width=5), SHORT, path))
    assert path.read_bytes() == content


def test_a_checkpoint_that_was_cut_off_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    finish(train(Toy(), SHORT, path))
    path.write_bytes(path.read_bytes()[:-100])
    content = path.read_bytes()
    with pytest.raises(InputError, match=r"no checkpoint that can be read .* delete it to begin anew"):
        next(train(Toy(), SHORT, path))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": 0},
        {"batch": 0},
        {"validate_every": -1},
        {"patience": -1},
        {"minutes": 0.0},
        {"minutes": math.nan},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"averaging": 1.0},
        {"warmup": 0.6, "hold": 0.5},
        {"hold": 1.1},
        {"warmup": -0.1},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"Samples|minutes|Learning rate"):
        TrainingSettings(**changes)
