"""The recipe of the virtual refocuser that ships: from slides to a package in one go that can be resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.models.networks import load_refocus_network
from napari_autofocus.models.package import open_virtual_package
from napari_autofocus.models.refocus.evaluation import ShotsResult
from napari_autofocus.models.refocus.teaching import recovering
from napari_autofocus.models.simulated.places import SimulatedPlaces
from napari_autofocus.models.training import TrainingProgress, TrainingSettings
from napari_autofocus.models.tsva import METHODS, TsvaNetwork, TsvaSettings
from napari_autofocus.workflows.shipped import refocusers as shipped_refocusers
from napari_autofocus.workflows.shipped.data import ShardWritten
from napari_autofocus.workflows.shipped.refocusers import RECIPES, Making, RefocusRecipe, make_refocuser

MINIATURE = RefocusRecipe(
    name="miniature-virtual",
    description="Knows next to nothing.",
    places=SimulatedPlaces(shape=(160, 160), side_px=128, places=1, pairs=2, off_nominal_share=0.0),
    shards=1,
    network=TsvaSettings(width=4),
    training=TrainingSettings(samples=8, batch=4, validate_every=4, learning_rate=1e-3),
    checked_fields=1,
    checked_half_um=(1.0,),
)


@pytest.fixture
def making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    monkeypatch.setattr(shipped_refocusers, "FIELDS_A_SHARD", 24)  # one of them is held back for validation
    return Making(MINIATURE, tmp_path, processes=1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, making: Making) -> Making:
    """Data written in this process."""
    making.data.mkdir()
    shipped_refocusers._write_shard(MINIATURE.places, making.data, 0)
    return making


def test_recipes_hold_together() -> None:
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        trained_on = recipe.shards * shipped_refocusers.FIELDS_A_SHARD
        assert recipe.evaluation_seed > trained_on
        low, high = recipe.places.half_um
        assert all(low <= half <= high for half in recipe.checked_half_um)
        assert (
            sum(p.numel() for p in TsvaNetwork(recipe.network).parameters()) * 6 < 10e6
        )  # graph, and half-size weights


def test_a_package_is_made_in_one_go_and_a_finished_part_is_not_made_again(few: Making, tmp_path: Path) -> None:
    target = tmp_path / "out" / "miniature.zip"
    steps = list(make_refocuser(few, target))
    assert {type(step) for step in steps} == {ShardWritten, TrainingProgress, ShotsResult}
    package = open_virtual_package(target)
    assert package.card.evaluation["pairs"] == 1
    assert package.card.training.patches_seen == 8
    assert package.card.half_um == MINIATURE.places.half_um
    assert isinstance(load_refocus_network(package), TsvaNetwork)
    again = [step for step in make_refocuser(few, target) if isinstance(step, TrainingProgress)]
    assert not any(step.samples < 8 for step in again)


def test_training_goes_on_where_it_was_stopped(few: Making) -> None:
    steps = few.teach("two-shot")
    first = next(steps)
    steps.close()
    assert first.samples < MINIATURE.training.samples
    assert few.checkpoint("two-shot").exists()
    assert [step.samples for step in few.teach("two-shot")][-1] == 8


@pytest.mark.parametrize("method", METHODS)
def test_the_networks_it_is_compared_with_are_taught_alike(few: Making, method: str) -> None:
    steps = few.teach(method)  # type: ignore[arg-type]
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            trained = finished.value
            break
    assert trained.samples == 8
    assert trained.network.settings.method == method


def test_data_of_another_recipe_are_not_taken_for_its_own(few: Making) -> None:
    list(few.simulate())
    other = replace(few, recipe=replace(MINIATURE, places=replace(MINIATURE.places, error_um=2.0)))
    with pytest.raises(InputError, match="another recipe"):
        list(other.simulate())


def test_an_unknown_name_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert shipped_refocusers.main(["nothing-20x"]) == 2
    assert "choose among tsva-20x" in capsys.readouterr().err


def test_a_network_is_asked_in_shots_as_a_camera_gives_them() -> None:
    shots = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    shots[0] = shots[0] // 2
    found = recovering(TsvaNetwork(TsvaSettings(width=4)))(*shots)
    assert found.shape == (64, 64, 3)
    assert np.allclose(found * 255, shots[1], atol=1e-3)
