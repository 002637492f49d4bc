"""The panel's choice of model follows what is looked at: objective, colour of the camera, and what the sample is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.models.library import USER_FOLDER_VARIABLE, installed_models
from napari_autofocus.models.predictor import load_model
from napari_autofocus.models.suggestion import Sight
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.cameras import usual_camera
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.estimate.model_choice import ModelChoice
from napari_autofocus.widgets.estimate.model_fit import _WHY_NOT, label_fits
from napari_autofocus.widgets.estimate.sight import look_at
from napari_autofocus.widgets.session import Connection, Session
from tiny_models import named_file

TWENTY = Objective.parse("20x/0.75", pixel_size_um=0.325)
TEN = Objective.parse("10x/0.3", pixel_size_um=0.65)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A colour model and two grey ones at 20x, and a colour model at 10x; none that ship."""
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("napari_autofocus.models.library.SHIPPED", tmp_path / "none")
    named_file(tmp_path, "colour-20x")
    named_file(tmp_path, "colour-10x", magnification=10.0, na=0.3, pixel_size_um=0.65)
    named_file(tmp_path, "shining-20x", "mono", ("fluorescence", "beads"))
    named_file(tmp_path, "transparent-20x", "mono", ("unstained",))
    return tmp_path


@pytest.fixture
def at_ease(session: Session, qtbot: QtBot) -> Callable[[], None]:
    def wait() -> None:
        for _ in range(2):  # the models are listed, and one is loaded
            qtbot.waitUntil(lambda: not session.analysis.busy, timeout=20_000)

    return wait


@pytest.fixture
def choice(session: Session, folder: Path, qtbot: QtBot, at_ease: Callable[[], None]) -> ModelChoice:
    session.focus.state_objective(TWENTY)
    made = ModelChoice(session, "dark")
    qtbot.addWidget(made)
    at_ease()
    return made


def connect(session: Session, stain: str, objective: str = "20x/0.75") -> Scene:
    scene = Scene.build(stain, "sparse", objective, seed=1, shape=(64, 80), camera=usual_camera(stain))
    rig = simulated_rig(scene)
    session.connect(Connection("simulated", rig.microscope, rig.close, 1.0, scene.objective, rig))
    return scene


@pytest.mark.parametrize(
    ("stain", "objective", "name"),
    [
        ("he", "20x/0.75", "colour-20x"),
        ("he", "10x/0.3", "colour-10x"),
        ("beads", "20x/0.75", "shining-20x"),
        ("unstained", "20x/0.75", "transparent-20x"),
    ],
)
def test_a_microscope_gets_the_model_that_fits_it(
    stain: str, objective: str, name: str, choice: ModelChoice, session: Session, at_ease: Callable[[], None]
) -> None:
    connect(session, stain, objective)
    at_ease()
    assert session.focus.model is not None
    assert session.focus.model.name == name
    assert choice.optics_line.text() == ""


def test_another_slide_brings_another_model(choice: ModelChoice, session: Session, at_ease: Callable[[], None]) -> None:
    connect(session, "unstained")
    at_ease()
    rig = session.connection.rig  # type: ignore[union-attr]
    rig.load(Scene.build("fluorescence", "sparse", seed=1, shape=(64, 80), camera=usual_camera("fluorescence")))
    session.view.show(rig.microscope.snap())
    at_ease()
    assert session.focus.model.name == "shining-20x"  # type: ignore[union-attr]


def test_frames_of_a_real_microscope_tell_by_themselves(
    choice: ModelChoice, session: Session, at_ease: Callable[[], None]
) -> None:
    dark = np.zeros((64, 80), np.uint16)
    dark[:16] = 9000
    for image, name in ((dark, "shining-20x"), (np.full((60, 80), 50_000, np.uint16), "transparent-20x")):
        session.view.show(Frame(image, 0.0, 0.0, 0.0, 10.0, 0.0, 0.325, 16))
        at_ease()
        assert session.focus.model.name == name  # type: ignore[union-attr]


def test_a_model_that_the_user_chose_stays_and_the_better_one_is_offered(
    choice: ModelChoice, session: Session, folder: Path, at_ease: Callable[[], None]
) -> None:
    choice.use_file(folder / "colour-20x.zip")
    at_ease()
    session.focus.state_objective(TEN)
    at_ease()
    assert session.focus.model.name == "colour-20x"  # type: ignore[union-attr]
    assert "magnification is 10x" in choice.optics_line.text()
    assert choice.fit.use_button.text() == "Use colour-10x"
    choice.fit.use_button.click()
    at_ease()
    assert session.focus.model.name == "colour-10x"  # type: ignore[union-attr]
    assert choice.optics_line.text() == ""
    assert not choice.fit.use_button.isVisibleTo(choice)


def test_where_none_fits_one_line_says_what_to_do(choice: ModelChoice, session: Session) -> None:
    session.focus.state_objective(TEN)
    session.focus.see(("camera",), Sight(colour="mono", stain="unstained"))
    assert "grey image" in choice.optics_line.text()
    assert "colour camera" in choice.optics_line.text()
    assert not choice.fit.use_button.isVisibleTo(choice)
    assert choice.insist_box.isVisibleTo(choice)


def test_the_list_says_which_do_not_fit_and_why(choice: ModelChoice, session: Session) -> None:
    session.focus.see(("camera",), Sight(colour="mono", stain="beads"))
    label_fits(choice.box, list(installed_models()), session.focus.sight)
    said = {choice.box.itemText(i): choice.box.itemData(i, _WHY_NOT) for i in range(choice.box.count())}
    assert said["shining-20x"] == ""
    assert "made for 10x/0.3" in said["colour-10x"]
    assert said["transparent-20x"] == "taught on unstained cells"


def test_a_layer_tells_its_colour_at_once(choice: ModelChoice, session: Session, at_ease: Callable[[], None]) -> None:
    look_at(session.focus, Image(np.zeros((64, 80), np.uint16), name="grey"))
    at_ease()
    assert session.focus.sight.colour == "mono"
    assert session.focus.model.name == "shining-20x"  # type: ignore[union-attr]
    look_at(session.focus, "camera")
    session.view.show(Frame(np.zeros((64, 80, 3), np.uint8), 0.0, 0.0, 0.0, 10.0, 0.0, 0.325))
    at_ease()
    assert session.focus.model.name == "colour-20x"  # type: ignore[union-attr]


def test_a_model_of_another_panel_is_told_where_it_does_not_fit(
    choice: ModelChoice, session: Session, folder: Path
) -> None:
    session.focus.see(("camera",), Sight(colour="rgb"))
    session.focus.use_model(load_model(folder / "shining-20x.zip"))
    assert "This is an RGB image" in choice.optics_line.text()
    assert choice.fit.use_button.text() == "Use colour-20x"
