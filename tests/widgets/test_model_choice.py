from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from napari_autofocus.models.library import USER_FOLDER_VARIABLE
from napari_autofocus.models.predictor import load_model
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.estimate import model_choice
from napari_autofocus.widgets.estimate.model_choice import ModelChoice
from napari_autofocus.widgets.session import Session
from tiny_models import Members, forge, repacked, tiny_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of models, and none that ship."""
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("napari_autofocus.models.library.SHIPPED", tmp_path / "none")
    return tmp_path


@pytest.fixture
def at_ease(session: Session, qtbot: QtBot) -> Callable[[], None]:
    return lambda: qtbot.waitUntil(lambda: not session.analysis.busy, timeout=20_000)


@pytest.fixture
def make(session: Session, folder: Path, qtbot: QtBot, at_ease: Callable[[], None]) -> Callable[[], ModelChoice]:
    def opened() -> ModelChoice:
        made = ModelChoice(session, "dark")
        qtbot.addWidget(made)
        at_ease()  # the models are listed
        at_ease()  # the default is loaded
        return made

    return opened


@pytest.fixture
def tiny(folder: Path) -> Path:
    return tiny_file(folder)


def add_model(folder: Path, name: str, **optics: float) -> Path:
    """A model of another name, and for other optics where they are given."""

    def change(block: dict[str, Any]) -> None:
        block["name"] = name
        block["optics"].update(optics)

    def renamed(members: Members) -> None:
        forge(members, change)

    return repacked(folder, renamed).rename(folder / f"{name}.zip")


def test_an_installed_model_is_used_at_once(tiny: Path, make: Callable[[], ModelChoice], session: Session) -> None:
    choice = make()
    assert session.focus.model is not None
    assert choice.box.currentText() == session.focus.model.name == "tiny-20x"
    assert choice.card_line.text() == "20x/0.75 · ±10 µm · accuracy not measured"
    assert "seed 7" in choice.card_line.toolTip()


def test_the_first_model_that_fits_the_objective_is_the_default(
    tiny: Path, folder: Path, make: Callable[[], ModelChoice], session: Session
) -> None:
    add_model(folder, "another", magnification=40.0, na=0.95)
    session.focus.state_objective(Objective.parse("20x/0.75", pixel_size_um=0.325))
    assert make().box.currentText() == "tiny-20x"


def test_the_default_follows_the_objective_until_the_user_chooses(
    tiny: Path, folder: Path, make: Callable[[], ModelChoice], session: Session, at_ease: Callable[[], None]
) -> None:
    add_model(folder, "another", magnification=40.0, na=0.95)
    choice = make()
    session.focus.state_objective(Objective.parse("20x/0.75", pixel_size_um=0.325))
    at_ease()
    assert session.focus.model.name == "tiny-20x"
    choice.use_file(folder / "another.zip")
    at_ease()
    session.focus.state_objective(Objective.parse("20x/0.75", pixel_size_um=0.325))
    at_ease()
    assert session.focus.model.name == "another"


def test_a_model_that_another_panel_uses_is_shown_and_stays(
    tiny: Path, folder: Path, tmp_path: Path, make: Callable[[], ModelChoice], session: Session
) -> None:
    (tmp_path / "made").mkdir()
    made = load_model(add_model(tmp_path / "made", "made-here"))
    choice = make()
    before = session.focus.model
    session.focus.use_model(made)
    assert choice.box.currentText() == "made-here"
    session.focus.state_objective(Objective.parse("20x/0.75", pixel_size_um=0.325))
    assert session.focus.model is made
    session.focus.use_model(before)
    assert choice.box.currentText() == "tiny-20x"
    assert [choice.box.itemText(i) for i in range(choice.box.count())] == ["tiny-20x", "made-here"]


def test_a_panel_opened_later_shows_the_model_in_use_once(
    tiny: Path, make: Callable[[], ModelChoice], session: Session
) -> None:
    session.focus.use_model(load_model(tiny))
    choice = make()
    assert (choice.box.currentText(), choice.box.count()) == ("tiny-20x", 1)


def test_without_any_model_nothing_is_chosen(make: Callable[[], ModelChoice], session: Session) -> None:
    choice = make()
    assert choice.box.count() == 0
    assert session.focus.model is None
    assert not choice.details_button.isEnabled()


def test_another_model_can_be_chosen(
    tiny: Path,
    folder: Path,
    make: Callable[[], ModelChoice],
    session: Session,
    at_ease: Callable[[], None],
) -> None:
    add_model(folder, "second")
    choice = make()
    choice.box.setCurrentIndex(choice.box.findText("tiny-20x"))
    choice.box.activated.emit(choice.box.currentIndex())
    at_ease()
    assert session.focus.model.name == "tiny-20x"


def test_a_broken_file_is_told_and_the_old_model_stays(
    tiny: Path, tmp_path: Path, make: Callable[[], ModelChoice], session: Session, at_ease: Callable[[], None]
) -> None:
    choice = make()
    before = session.focus.model
    (tmp_path / "broken.zip").write_bytes(b"no model")
    choice.use_file(tmp_path / "broken.zip")
    assert choice.is_loading
    at_ease()
    assert choice.message.tone == "error"
    assert "broken.zip" in choice.message.text()
    assert session.focus.model is before
    assert choice.box.currentText() == "tiny-20x"
    assert not choice.is_loading


def test_broken_installed_files_are_named_in_the_tooltip(
    tiny: Path, folder: Path, make: Callable[[], ModelChoice]
) -> None:
    (folder / "bad.zip").write_bytes(b"no model")
    choice = make()
    assert choice.box.count() == 1
    assert "bad.zip cannot be used" in choice.box.toolTip()


def test_loading_does_not_hold_up_the_gui(
    tiny: Path,
    make: Callable[[], ModelChoice],
    session: Session,
    at_ease: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []
    real = model_choice.load_focus_model

    def noted(path: Path) -> object:
        threads.append(threading.current_thread().name)
        return real(path)

    monkeypatch.setattr(model_choice, "load_focus_model", noted)
    make()
    assert len(threads) == 1
    assert "analysis" in threads[0]


def test_of_two_files_the_last_one_counts(
    tiny: Path, folder: Path, make: Callable[[], ModelChoice], session: Session, at_ease: Callable[[], None]
) -> None:
    choice = make()
    for name in ("b", "c"):
        choice.use_file(add_model(folder, name))
    heard: list[str] = []
    session.focus.model_changed.connect(lambda model: heard.append(model.name))
    at_ease()
    assert heard == ["c"]


def test_optics_that_do_not_fit_are_told_and_may_be_insisted_on(
    tiny: Path, make: Callable[[], ModelChoice], session: Session
) -> None:
    choice = make()
    assert not choice.insist_box.isVisibleTo(choice)
    session.focus.state_objective(Objective.parse("40x/0.95"))
    assert "magnification is 40x; the model was made for 20x" in choice.optics_line.text()
    assert choice.insist_box.isVisibleTo(choice)
    choice.insist_box.click()
    assert session.focus.insist
    assert choice.optics_line.text() == ""
    assert choice.insist_box.isVisibleTo(choice)


def test_optics_that_fit_are_no_matter(tiny: Path, make: Callable[[], ModelChoice], session: Session) -> None:
    choice = make()
    session.focus.state_objective(Objective.parse("20x/0.75", pixel_size_um=0.325))
    assert choice.optics_line.text() == ""
    assert not choice.insist_box.isVisibleTo(choice)


def test_the_card_opens_beside_what_runs(tiny: Path, make: Callable[[], ModelChoice], qtbot: QtBot) -> None:
    from qtpy.QtWidgets import QApplication, QMessageBox

    make().details_button.click()
    boxes = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox) and w.isVisible()]
    assert len(boxes) == 1
    assert "reads the red of a patch" in boxes[0].text()
    boxes[0].close()
