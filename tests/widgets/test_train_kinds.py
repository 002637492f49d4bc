"""Which kinds of models the Train panel offers, and what each may begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytestqt.qtbot import QtBot

from napari_autofocus.models.library import InstalledModel
from napari_autofocus.widgets.train_kinds import SCRATCH, bases_of, kind_choice, offer_kinds
from tiny_models import tiny_card


def _installed(name: str, **facts: Any) -> InstalledModel:
    return InstalledModel(name, Path(f"{name}.zip"), "shipped", 1, card=tiny_card(name=name, **facts))


ONE = _installed("one")
TWO = _installed("two", kind="two-shot", dz_um=2.0)
BROKEN = InstalledModel("broken", Path("broken.zip"), "user", 1, fault="It is cut short.")


def _enabled(box: Any) -> list[str]:
    return [box.itemData(place) for place in range(box.count()) if box.model().item(place).isEnabled()]


def test_two_shots_can_be_taught_where_a_model_of_two_shots_is_installed(qtbot: QtBot) -> None:
    box = kind_choice()
    qtbot.addWidget(box)
    assert _enabled(box) == ["one-shot"]
    assert "no model of two shots is installed" in box.itemText(1)
    offer_kinds(box, [ONE, BROKEN, TWO])
    assert _enabled(box) == ["one-shot", "two-shot"]
    assert box.itemText(1) == "Two shots"


def test_a_model_begins_with_one_of_its_kind_and_only_one_shot_with_nothing() -> None:
    assert list(bases_of([ONE, BROKEN, TWO], "one-shot")) == [("one", "one.zip"), (SCRATCH, None)]
    assert list(bases_of([ONE, BROKEN, TWO], "two-shot")) == [("two", "two.zip")]
