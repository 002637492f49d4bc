"""Which kinds of models the Train panel offers, and what each may begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from fake_refocuser import virtual_card
from napari_autofocus.models.library import USER_FOLDER_VARIABLE, InstalledModel
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.choice import TrainingChoice
from napari_autofocus.widgets.train.kinds import SCRATCH, bases_of, kind_choice, offer_kinds
from tiny_models import tiny_card


@pytest.fixture(autouse=True)
def _no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is installed, so that listing them takes no time."""
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr("napari_autofocus.models.library.SHIPPED", tmp_path / "none")


def _installed(name: str, **facts: Any) -> InstalledModel:
    return InstalledModel(name, Path(f"{name}.zip"), "shipped", 1, card=tiny_card(name=name, **facts))


ONE = _installed("one")
TWO = _installed("two", kind="two-shot", dz_um=2.0)
BROKEN = InstalledModel("broken", Path("broken.zip"), "user", 1, fault="It is cut short.")


def _enabled(box: Any) -> list[str]:
    return [box.itemData(place) for place in range(box.count()) if box.model().item(place).isEnabled()]


REFOCUSER = InstalledModel("virtual", Path("virtual.zip"), "shipped", 1, card=virtual_card())


def test_two_shots_can_be_taught_where_a_model_of_two_shots_is_installed(qtbot: QtBot) -> None:
    box = kind_choice()
    qtbot.addWidget(box)
    assert _enabled(box) == ["one-shot", "virtual"]
    assert "no model of two shots is installed" in box.itemText(1)
    offer_kinds(box, [ONE, BROKEN, TWO])
    assert _enabled(box) == ["one-shot", "two-shot", "virtual"]
    assert box.itemText(1) == "Two shots"


def test_a_model_begins_with_one_of_its_kind_and_two_shots_never_with_nothing() -> None:
    assert list(bases_of([ONE, BROKEN, TWO], "one-shot")) == [("one", "one.zip"), (SCRATCH, None)]
    assert list(bases_of([ONE, BROKEN, TWO], "two-shot")) == [("two", "two.zip")]
    assert list(bases_of([ONE, TWO, REFOCUSER], "virtual")) == [("virtual", "virtual.zip"), (SCRATCH, None)]


def test_virtual_refocusing_is_asked_for_without_cross_validation(session: Session, qtbot: QtBot) -> None:
    choice = TrainingChoice(session, "dark")
    qtbot.addWidget(choice)
    qtbot.waitUntil(lambda: not session.analysis.busy, timeout=60_000)
    choice.folds_box.setChecked(True)
    choice.dataset = Path("stacks")
    choice._on_models_listed([ONE, REFOCUSER])
    place = choice.kind_box.findData("virtual")
    choice.kind_box.setCurrentIndex(place)
    choice._look = lambda: None  # what is in the folder is another test's
    choice.kind_box.activated.emit(place)
    assert [choice.base_box.itemText(at) for at in range(choice.base_box.count())] == ["virtual", SCRATCH]
    assert not choice.folds_box.isEnabled()
    request = choice._request(Path("stacks"), Path("m.zip"))
    assert (request.kind, request.base, request.folds) == ("virtual", "virtual.zip", 0)
