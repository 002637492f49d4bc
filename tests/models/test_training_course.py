"""Legs of a training: settings that change on the way, and a stop at a share of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
import torch
from torch import nn
from toys import SHORT, Toy, assert_same, finish

from napari_autofocus.errors import InputError
from napari_autofocus.models.learning.run import Run
from napari_autofocus.models.learning.settings import Leg
from napari_autofocus.models.training import TrainingSettings, train

COURSE = (Leg(0.5, 0.02, 0.8, 0.1, 0.3), Leg(1.0, 0.004, 0.95, 0.0, 0.0))


def test_a_training_that_stops_at_shares_ends_with_the_weights_of_one_that_does_not(tmp_path: Path) -> None:
    _, whole = finish(train(Toy(), SHORT))

    for until in (0.2, 0.5, 1.0):
        _, in_parts = finish(train(Toy(), SHORT, tmp_path / "run.safetensors", until=until))
        assert in_parts.samples == round(until * SHORT.samples)
        assert in_parts.history[-1]["samples"] == in_parts.samples  # it is validated where it stops

    assert_same(in_parts.network.state_dict(), whole.network.state_dict())


def test_each_leg_sets_what_the_optimiser_and_the_dropout_do() -> None:
    task = Toy()
    run = Run(task, replace(SHORT, course=COURSE, warmup=0.0, hold=1.0), None)
    seen = []

    with run.batches() as batches:
        for batch in batches:
            run.learn(batch, 0.0)
            decaying, others = run.optimiser.param_groups
            dropout = next(layer.p for layer in run.network.modules() if isinstance(layer, nn.Dropout))
            seen.append((decaying["lr"], decaying["betas"][0], decaying["weight_decay"], dropout))
            assert (others["weight_decay"], others["betas"]) == (0.0, decaying["betas"])

    assert seen == [(0.02, 0.8, 0.1, 0.3)] * 5 + [(0.004, 0.95, 0.0, 0.0)] * 5


def test_a_course_that_changes_nothing_teaches_the_same() -> None:
    same = Leg(1.0, SHORT.learning_rate, SHORT.momentum, SHORT.weight_decay, 0.2)
    _, plain = finish(train(Toy(), SHORT))
    _, along = finish(train(Toy(), replace(SHORT, course=(same,))))

    assert_same(along.network.state_dict(), plain.network.state_dict())


def test_momentum_changes_what_is_learned() -> None:
    _, usual = finish(train(Toy(), SHORT))
    _, other = finish(train(Toy(), replace(SHORT, momentum=0.5)))

    assert any(
        not torch.equal(a, b) for a, b in zip(usual.network.parameters(), other.network.parameters(), strict=True)
    )


def test_runs_that_began_before_there_was_a_momentum_go_on() -> None:
    settings = TrainingSettings()
    former = f"{settings.weight_decay!r} {settings.warmup!r} {settings.hold!r} {settings.averaging!r}"

    assert settings.unchangeable()["schedule"] == f"{crc32(former.encode()):08x}"


@pytest.mark.parametrize("changes", [{"momentum": 0.8}, {"course": COURSE}])
def test_a_run_does_not_go_on_with_another_momentum_or_course(tmp_path: Path, changes: dict[str, object]) -> None:
    finish(train(Toy(), SHORT, tmp_path / "run.safetensors"))

    with pytest.raises(InputError, match="schedule"):
        finish(train(Toy(), replace(SHORT, **changes), tmp_path / "run.safetensors"))


@pytest.mark.parametrize(
    ("leg", "said"),
    [
        ((0.0, 0.1, 0.9, 0.0, 0.1), "share of the run"),
        ((1.5, 0.1, 0.9, 0.0, 0.1), "share of the run"),
        ((1.0, 0.0, 0.9, 0.0, 0.1), "between 0 and 1"),
        ((1.0, 0.1, 1.0, 0.0, 0.1), "between 0 and 1"),
        ((1.0, 0.1, 0.9, 0.0, 1.0), "between 0 and 1"),
        ((1.0, float("nan"), 0.9, 0.0, 0.1), "between 0 and 1"),
        ((1.0, 0.1, 0.9, -1.0, 0.1), "weight decay"),
        ((1.0, 0.1, 0.9, float("nan"), 0.1), "weight decay"),
    ],
)
def test_a_leg_outside_its_range_is_refused(leg: tuple[float, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Leg(*leg)


def test_legs_out_of_order_and_a_momentum_of_one_are_refused() -> None:
    with pytest.raises(InputError, match="one after the other"):
        TrainingSettings(course=COURSE[::-1])
    with pytest.raises(InputError, match="Momentum"):
        TrainingSettings(momentum=1.0)
