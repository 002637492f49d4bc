"""A card is strict about what it holds, and comes back unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import DecisionSettings
from napari_autofocus.models.package import CardOptics, ModelCard
from napari_autofocus.models.package.members import checksum_of
from napari_autofocus.models.package.plain_yaml import read_yaml, write_yaml
from napari_autofocus.optics import Objective
from tiny_models import tiny_card

_positive = st.floats(1e-3, 1e3)


@given(dof_um=_positive, range_um=_positive, mae_um=st.floats(allow_nan=False, allow_infinity=False))
def test_a_card_survives_json_and_yaml(dof_um: float, range_um: float, mae_um: float) -> None:
    card = tiny_card(
        decision=DecisionSettings(dof_um, range_um), evaluation={"mae_um": mae_um, "by": {"he": [1, None]}}
    )
    assert ModelCard.from_dict(json.loads(json.dumps(card.to_dict()))) == card
    assert ModelCard.from_dict(read_yaml(write_yaml(card.to_dict()), "it")) == card


def test_range_and_depth_of_field_are_those_of_the_decision() -> None:
    card = tiny_card(decision=DecisionSettings(dof_um=2.5, range_um=12.0))
    assert (card.dof_um, card.range_um) == (2.5, 12.0)


def test_optics_of_an_objective_give_it_back() -> None:
    objective = Objective(63, 1.4, "oil").with_pixel_size(0.1)
    found = CardOptics.of(objective, "mono")
    assert found.channels == 1
    assert (found.objective.name, found.objective.pixel_size_um) == ("63x/1.4 oil", pytest.approx(0.1))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"optics": None}, "optics"),
        ({"name": "../up"}, "name"),
        ({"name": ""}, "name"),
        ({"config_version": 2}, "config_version"),
        ({"kind": "three-shot"}, "kind"),
        ({"kind": "two-shot"}, "the card"),
        ({"dz_um": 2.0}, "the card"),
        ({"dz_um": -2.0}, "dz_um"),
        ({"patch_px": 32.5}, "patch_px"),
        ({"stains": [1]}, "stains.0"),
        ({"evaluation": [1]}, "evaluation"),
        ({"selection": {"most_patches": "8"}}, "selection.most_patches"),
        ({"training": {"seed": 1}}, "training.minutes"),
        ({"anything": 1}, "anything"),
    ],
)
def test_a_wrong_card_is_refused_where_it_is_wrong(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(InputError, match=f"wrong at {place}: ") as error:
        ModelCard.from_dict({**tiny_card().to_dict(), **changes})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_of_a_card_are_finite(value: float) -> None:
    with pytest.raises(InputError, match="holds what JSON cannot"):
        ModelCard.from_dict({**tiny_card().to_dict(), "evaluation": {"mae_um": value}})


def test_the_checksum_sees_every_change_but_not_the_order() -> None:
    block = tiny_card().to_dict()
    assert checksum_of(dict(reversed(block.items()))) == checksum_of(block)
    assert checksum_of({**block, "checksum": "x"}) == checksum_of(block)
    assert checksum_of({**block, "stride_px": 17}) != checksum_of(block)


def test_our_yaml_is_plain_for_every_reader() -> None:
    shared = {"a": 1}
    text = write_yaml({"first": shared, "second": shared, "µm": 1e-5})
    assert yaml.safe_load(text) == {"first": {"a": 1}, "second": {"a": 1}, "µm": 1e-5}
    assert b"&" not in text
