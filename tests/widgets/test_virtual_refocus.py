"""The Virtual refocus panel: two shots in, a layer out that says it is virtual, and ways to compare it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot

from delete_now import delete_now
from fake_refocuser import OBJECTIVE, FakeRefocuser
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY, plane_shown
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.blink import grid_of
from napari_autofocus.widgets.virtual.stack import planes_around
from napari_autofocus.widgets.virtual.words import NO_IMAGES, NO_MODEL
from napari_autofocus.widgets.virtual_refocus import VirtualRefocusPanel

WAIT_MS = 60_000
BEST_UM = 1.0
Run = Callable[[], None]


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is installed but what a test uses."""
    monkeypatch.setenv("NAPARI_AUTOFOCUS_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("napari_autofocus.models.library.SHIPPED", tmp_path / "shipped")


@pytest.fixture
def refocuser() -> FakeRefocuser:
    return FakeRefocuser()


@pytest.fixture
def panel(
    viewer: ViewerModel, session: Session, refocuser: FakeRefocuser, qtbot: QtBot
) -> Iterator[VirtualRefocusPanel]:
    """A panel with a model; the shots are of its objective."""
    made = VirtualRefocusPanel(viewer)
    qtbot.waitUntil(lambda: not session.analysis.busy, timeout=WAIT_MS)
    made.model.use(refocuser)  # type: ignore[arg-type]
    session.focus.state_objective(OBJECTIVE)
    yield made
    delete_now(made)


@pytest.fixture
def rest(session: Session, qtbot: QtBot) -> Run:
    """Wait until nothing is being computed or moved."""

    def wait() -> None:
        qtbot.waitUntil(
            lambda: not (session.analysis.busy or session.hardware.busy or session.is_running), timeout=WAIT_MS
        )

    return wait


def shot(blur_px: float, shape: tuple[int, int] = (64, 80)) -> np.ndarray:
    rng = np.random.default_rng(1)
    texture = cv2.GaussianBlur(rng.normal(128, 120, (*shape, 3)), (0, 0), 1.0)
    noisy = cv2.GaussianBlur(texture, (0, 0), np.hypot(0.5, 0.8 * blur_px)) + rng.normal(0, 1.5, texture.shape)
    return np.clip(noisy, 0, 250).astype(np.uint8)


def layer(blur_px: float, name: str, **others: Any) -> Image:
    about = {"scale": (0.325, 0.325), "units": ("um", "um"), "rgb": True, **others}
    return Image(shot(blur_px), name=name, **about)


def stack(planes: int = 13, step_um: float = 1.0) -> Image:
    z_um = step_um * (np.arange(planes) - planes // 2)
    data = np.stack([shot(abs(z - BEST_UM)) for z in z_um])
    return Image(
        data,
        name="stack",
        rgb=True,
        scale=(step_um, 0.325, 0.325),
        translate=(z_um[0], 0.0, 0.0),
        units=("um", "um", "um"),
        metadata={METADATA_KEY: {"z_um": z_um.tolist(), "objective": "20x/0.75"}},
    )


@pytest.fixture
def two(panel: VirtualRefocusPanel, viewer: ViewerModel) -> VirtualRefocusPanel:
    """Two layers of one field, the second one sharper."""
    viewer.add_layer(layer(2.0, "a", translate=(3.25, 6.5)))
    viewer.add_layer(layer(1.0, "b", translate=(3.25, 6.5)))
    return panel


def test_without_images_and_without_a_model_the_panel_says_what_to_do(
    viewer: ViewerModel, session: Session, rest: Run
) -> None:
    panel = VirtualRefocusPanel(viewer)
    rest()
    assert panel.note.text() == NO_IMAGES
    assert panel.model.message.text() == NO_MODEL
    assert not panel.run_button.isEnabled()
    assert panel.run_button.toolTip() == NO_IMAGES
    assert panel.compare.isHidden()
    viewer.add_layer(stack())
    rest()
    assert panel.note.text() == ""
    assert panel.run_button.toolTip() == NO_MODEL
    assert not panel.run_button.isEnabled()
    delete_now(panel)


def test_two_layers_become_one_that_says_it_is_virtual(
    two: VirtualRefocusPanel, viewer: ViewerModel, rest: Run
) -> None:
    assert two.source.kind == "layers"
    two.run_button.click()
    assert not two.source.isEnabled()
    assert two.cancel_button.isEnabled()
    rest()
    made = viewer.layers["virtual: a, b (fake-tsva)"]
    np.testing.assert_array_equal(made.data, np.clip(shot(1.0).astype(int) + 3, 0, 255))
    np.testing.assert_allclose((*made.scale, *made.translate), (0.325, 0.325, 3.25, 6.5))
    origin = made.metadata[METADATA_KEY]["virtual"]
    assert (origin["model"], origin["fingerprint"], origin["inputs"]) == ("fake-tsva", "f" * 64, ["a", "b"])
    assert (origin["verdict"], origin["sharper"]) == ("recovered", 1)
    assert viewer.layers.selection.active is made
    assert not viewer.layers["virtual: uncertainty"].visible
    assert two.result.verdict.text() == "✓ Recovered"
    assert two.source.isEnabled()
    assert not two.compare.isHidden()


def test_a_pair_that_is_recovered_again_fills_its_own_layer(
    two: VirtualRefocusPanel, viewer: ViewerModel, rest: Run
) -> None:
    for _ in range(2):
        two.run_button.click()
        rest()
    assert [each.name for each in viewer.layers if each.name.startswith("virtual")] == [
        "virtual: a, b (fake-tsva)",
        "virtual: uncertainty",
    ]


def test_what_is_doubtful_shows_its_uncertainty_and_why(
    two: VirtualRefocusPanel, viewer: ViewerModel, refocuser: FakeRefocuser, rest: Run
) -> None:
    refocuser.verdict, refocuser.shift_px = "doubtful", (1.5, -2.25)
    two.run_button.click()
    rest()
    assert viewer.layers["virtual: uncertainty"].visible
    assert two.result.uncertainty_box.isChecked()
    assert (two.result.verdict.text().split(":")[0], two.result.verdict.tone) == ("⚠ Doubtful", "warning")
    assert "Both shots are the same." in two.result.reasons.text()
    assert "+1.5 px down and −2.2 px right" in two.result.reasons.text()
    two.result.uncertainty_box.click()
    assert not viewer.layers["virtual: uncertainty"].visible


def test_cancelling_closes_the_work_and_adds_nothing(
    two: VirtualRefocusPanel, viewer: ViewerModel, refocuser: FakeRefocuser, rest: Run, qtbot: QtBot
) -> None:
    refocuser.may_go_on.clear()
    two.run_button.click()
    qtbot.waitUntil(lambda: two.progress.maximum() == 3, timeout=WAIT_MS)
    two.cancel_button.click()
    refocuser.may_go_on.set()
    rest()
    assert two.message.text() == "Cancelled; no layer was added."
    assert (refocuser.closed, len(viewer.layers)) == (1, 2)
    assert two.run_button.isEnabled()


def test_optics_unlike_the_models_are_refused_until_the_user_insists(
    two: VirtualRefocusPanel, viewer: ViewerModel, session: Session, refocuser: FakeRefocuser, rest: Run
) -> None:
    session.focus.state_objective(None)
    two.run_button.click()
    rest()
    assert "optics of the frame are unknown" in two.model.optics.line.text()
    assert two.message.tone == "error"
    assert len(viewer.layers) == 2
    two.model.optics.insist_box.click()
    two.run_button.click()
    rest()
    assert [asked["insist"] for asked in refocuser.asked] == [False, True]
    assert "optics of the frame are unknown" in two.result.reasons.text()


@pytest.mark.parametrize("others", [{"scale": (0.65, 0.65)}, {}])
def test_shots_that_make_no_pair_are_one_sentence(
    panel: VirtualRefocusPanel, viewer: ViewerModel, others: dict[str, Any]
) -> None:
    viewer.add_layer(layer(2.0, "a"))
    if others:
        viewer.add_layer(layer(1.0, "b", **others))
    panel.source.choose_kind("layers")
    assert not panel.run_button.isEnabled()
    wanted = "The pixels of 'a' measure 0.325" if others else "Two images are needed"
    assert panel.note.text().startswith(wanted)


def test_of_a_stack_the_planes_around_its_best_focus_are_suggested_and_that_is_the_truth(
    panel: VirtualRefocusPanel, viewer: ViewerModel, rest: Run
) -> None:
    viewer.add_layer(stack())
    rest()
    assert panel.source.kind == "stack"
    assert panel.source.stack.best_z_um == pytest.approx(BEST_UM, abs=0.1)
    assert [box.currentText() for box in panel.source.stack.plane_boxes] == ["0.00 µm", "2.00 µm"]
    assert panel.model.optics.objective_box.currentText() == "20x/0.75"
    assert not panel.model.optics.objective_box.isEnabled()
    panel.run_button.click()
    rest()
    made = viewer.layers["virtual: stack z +0.00 and +2.00 µm (fake-tsva)"]
    assert made.ndim == 2
    assert made.metadata[METADATA_KEY]["virtual"]["z_um"] == [0.0, 2.0]
    assert panel.compare.truth_box.currentText() == "Best plane of the stack"
    figures = panel.compare.figures
    assert figures is not None
    assert [row.name for row in figures.rows] == ["First shot", "Second shot", "Recovered", "True image"]
    assert all(row.psnr_db is not None and row.psnr_db > 10 for row in figures.rows[:3])
    assert panel.compare.table.item(0, 1).text().endswith(" dB")
    assert not viewer.layers["virtual: error"].visible
    panel.compare.error_box.click()
    assert viewer.layers["virtual: error"].visible


def test_another_delta_takes_other_planes_and_one_that_was_not_taught_is_told(
    panel: VirtualRefocusPanel, viewer: ViewerModel, rest: Run
) -> None:
    viewer.add_layer(stack(planes=15))
    rest()
    panel.source.stack.half_box.setValue(4.0)
    assert [box.currentText() for box in panel.source.stack.plane_boxes] == ["−3.00 µm", "5.00 µm"]
    assert panel.note.text() == "The model was taught on shots ±0.5 to ±3 µm from focus; these are ±4 µm."
    assert panel.run_button.isEnabled()


@pytest.mark.parametrize(
    ("z_um", "centre_um", "half_um", "wanted"),
    [
        ([0, 1, 2, 3, 4], 2.0, 1.0, (1, 3)),
        ([4, 3, 2, 1, 0], 2.0, 1.0, (3, 1)),
        ([0, 1, 2, 3, 4], 2.0, 0.1, (1, 3)),
        ([0, 1, 2, 3, 4], 9.0, 1.0, (3, 4)),
        ([0, 1], None, 0.1, (0, 1)),
    ],
)
def test_planes_around_a_focus_are_two_wherever_it_lies(
    z_um: list[float], centre_um: float | None, half_um: float, wanted: tuple[int, int]
) -> None:
    found = planes_around(np.asarray(z_um, float), centre_um, half_um)
    assert found[0] != found[1]
    if centre_um != 9.0:
        assert found == wanted


def test_cells_are_counted_on_demand(two: VirtualRefocusPanel, rest: Run) -> None:
    two.run_button.click()
    rest()
    assert two.compare.table.isHidden()
    two.compare.count_button.click()
    rest()
    assert two.compare.figures is not None
    assert [row.cells is not None for row in two.compare.figures.rows] == [True] * 3
    assert two.compare.table.isColumnHidden(1)
    assert not two.compare.table.isColumnHidden(3)


def test_blinking_shows_sharper_shot_and_result_in_turn_and_puts_everything_back(
    two: VirtualRefocusPanel, viewer: ViewerModel, rest: Run, qtbot: QtBot
) -> None:
    two.run_button.click()
    rest()
    before = {each.name: each.visible for each in viewer.layers}
    made = viewer.layers["virtual: a, b (fake-tsva)"]
    two.compare.pictures.blink_button.click()
    assert [each.name for each in viewer.layers if each.visible] == ["b", made.name]
    qtbot.waitUntil(lambda: not made.visible, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: made.visible, timeout=WAIT_MS)
    two.compare.pictures.turn()
    assert not made.visible
    two.compare.pictures.blink_button.click()
    assert {each.name: each.visible for each in viewer.layers} == before


def test_blinking_over_a_stack_brings_the_slider_to_the_sharper_plane(
    panel: VirtualRefocusPanel, viewer: ViewerModel, rest: Run
) -> None:
    viewer.add_layer(stack())
    rest()
    panel.run_button.click()
    rest()
    panel.compare.pictures.blink_button.click()
    recovered = panel.layers.recovered
    assert recovered is not None
    assert plane_shown(viewer, viewer.layers["stack"]) == recovered.pair.shots[recovered.image.sharper].plane.index[0]


def place_in(grid: Any, viewer: ViewerModel, layer: Any) -> tuple[int, int]:
    """Row and column of a layer. napari 0.7 keeps places for hidden layers as well, and asks how many there are."""
    counted = "nlayers" in inspect.signature(grid.position).parameters
    place: tuple[int, int] = grid.position(viewer.layers.index(layer), len(viewer.layers) if counted else viewer.layers)
    return place


def test_side_by_side_is_napari_grid_of_the_two_and_ends_with_its_layer(
    two: VirtualRefocusPanel, viewer: ViewerModel, rest: Run
) -> None:
    two.run_button.click()
    rest()
    two.compare.pictures.beside_button.click()
    grid = grid_of(viewer)
    assert grid.enabled
    (row, column), (other_row, other_column) = (place_in(grid, viewer, each) for each in viewer.layers if each.visible)
    assert row == other_row
    assert column != other_column
    viewer.layers.remove("virtual: a, b (fake-tsva)")
    assert not grid.enabled
    assert not two.compare.pictures.beside_button.isChecked()
    assert not two.compare.pictures.beside_button.isEnabled()


def test_a_wipe_shows_both_with_a_line_between_and_puts_everything_back(
    two: VirtualRefocusPanel, viewer: ViewerModel, rest: Run
) -> None:
    two.run_button.click()
    rest()
    before = {each.name: each.visible for each in viewer.layers}
    made, pictures = viewer.layers["virtual: a, b (fake-tsva)"], two.compare.pictures
    pictures.wipe_button.click()
    assert [each.name for each in viewer.layers if each.visible] == ["Wipe: shot | recovered"]
    assert not pictures.wipe_slider.isHidden()
    shown, shot, width = viewer.layers[-1], viewer.layers["b"].data, made.data.shape[1]
    for share in (0.5, 0.25, 0.0, 1.0):
        pictures.wipe_slider.setValue(round(200 * share))
        column = round(share * width)
        np.testing.assert_array_equal(shown.data[:, : max(column - 1, 0)], shot[:, : max(column - 1, 0)])
        np.testing.assert_array_equal(shown.data[:, column + 1 :], made.data[:, column + 1 :])
    pictures.blink_button.click()
    assert not pictures.wipe_button.isChecked()
    pictures.blink_button.click()
    assert {each.name: each.visible for each in viewer.layers} == before


def test_two_shots_are_taken_around_the_drive_which_ends_there(
    panel: VirtualRefocusPanel,
    connected: tuple[Session, SimulatedRig],
    viewer: ViewerModel,
    rest: Run,
) -> None:
    session, rig = connected
    rest()
    panel.source.choose_kind("take")
    session.focus.state_objective(OBJECTIVE)
    assert panel.source.take.message.text() == "The drive will visit −1.00 µm and 1.00 µm, and end at 0.00 µm."
    assert panel.run_button.text() == "Take two shots and recover"
    panel.run_button.click()
    rest()
    rest()
    assert rig.microscope.focus.position_um() == pytest.approx(0.0, abs=0.1)
    names = [each.name for each in viewer.layers]
    assert {"shot z −1.00 µm", "shot z 1.00 µm"} <= set(names)
    assert "virtual: shot z −1.00 µm, shot z 1.00 µm (fake-tsva)" in names
    assert panel.source.kind == "take"


def test_shots_beyond_the_limits_are_told_before_anything_moves(
    panel: VirtualRefocusPanel, connected: tuple[Session, SimulatedRig], rest: Run
) -> None:
    rest()
    panel.source.choose_kind("take")
    panel.source.take.half_box.setValue(100.0)
    assert "reach beyond the limits of the focus drive" in panel.source.take.message.text()
    assert not panel.run_button.isEnabled()


def test_taking_is_cancelled_with_the_drive_back_and_no_layer(
    panel: VirtualRefocusPanel, connected: tuple[Session, SimulatedRig], viewer: ViewerModel, rest: Run
) -> None:
    session, rig = connected
    rest()
    panel.source.choose_kind("take")
    session.view.shown.connect(lambda _: panel.cancel_button.click())
    panel.run_button.click()
    rest()
    assert panel.message.text().startswith("Stopped: the drive stands at 0.00 µm")
    assert rig.microscope.focus.position_um() == pytest.approx(0.0, abs=0.1)
    assert not any(each.name.startswith(("shot", "virtual")) for each in viewer.layers)


def test_without_a_microscope_taking_says_so(panel: VirtualRefocusPanel, viewer: ViewerModel) -> None:
    viewer.add_layer(layer(1.0, "a"))
    panel.source.choose_kind("take")
    assert "Connect a microscope" in panel.source.take.message.text()
    assert not panel.run_button.isEnabled()


def test_a_recovered_image_is_no_shot_itself(two: VirtualRefocusPanel, rest: Run) -> None:
    two.run_button.click()
    rest()
    box = two.source.layer_boxes[0]
    assert [box.itemText(place) for place in range(box.count())] == ["a", "b"]


def test_the_saved_file_says_that_it_is_virtual_and_of_what(
    two: VirtualRefocusPanel, rest: Run, tmp_path: Path
) -> None:
    two.run_button.click()
    rest()
    path = tmp_path / "made.ome.tif"
    two.result.save(path)
    rest()
    assert two.result.saved.text() == f"Saved as {path}."
    with tifffile.TiffFile(path) as file:
        xml = file.ome_metadata
        assert file.asarray().shape == (64, 80, 3)
    assert xml is not None
    for word in ("irtual", "fake-tsva", "f" * 64, "a", "b"):
        assert word in xml
    two.result.save(tmp_path / "absent" / "made.ome.tif")
    rest()
    assert (two.result.saved.tone, "does not exist" in two.result.saved.text()) == ("error", True)
