from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QTableView, QWidget

from napari_autofocus.widgets.labelling import LabellingPanel
from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.session import Session

BEST_UM = 1.2
Z_UM = np.arange(-4, 4.01, 0.5)


def blurred_stack(shape: tuple[int, int] = (96, 128)) -> np.ndarray:
    """Texture that is sharpest at ``BEST_UM``, u8, shape (Z, Y, X)."""
    rng = np.random.default_rng(0)
    texture = rng.random(shape, dtype=np.float32)
    planes = [cv2.GaussianBlur(texture, (0, 0), 0.8 + 0.6 * abs(z - BEST_UM)) for z in Z_UM]
    return np.stack([np.clip(200 * plane + rng.normal(0, 1, shape), 0, 255).astype(np.uint8) for plane in planes])


def a_stack(**settings: Any) -> Image:
    known = {"scale": (0.5, 0.3, 0.3), "translate": (-4, 0, 0), "units": ("um", "um", "um")}
    return Image(blurred_stack(), name="stack", **{**known, **settings})


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> LabellingPanel:
    made = LabellingPanel(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def labelled(panel: LabellingPanel, viewer: ViewerModel, qtbot: QtBot) -> LabellingPanel:
    """The panel after one run."""
    viewer.add_layer(a_stack())
    panel.find_button.click()
    qtbot.waitUntil(lambda: panel.result is not None and not panel.is_running, timeout=20_000)
    return panel


def test_without_a_stack_it_says_what_to_do(panel: LabellingPanel, viewer: ViewerModel) -> None:
    viewer.add_layer(Image(np.zeros((8, 8))))
    assert panel.layer is None
    assert not panel.find_button.isEnabled()
    assert "open a z-stack" in panel.view.z_label.text()


def test_z_of_the_plane_follows_the_slider(panel: LabellingPanel, viewer: ViewerModel) -> None:
    viewer.add_layer(a_stack())
    viewer.dims.set_point(0, -4)
    assert panel.view.z_label.text() == "z = −4.00 µm, 1 of 17"
    viewer.dims.set_point(0, 2.5)
    assert panel.view.z_label.text() == "z = 2.50 µm, 14 of 17"


def test_z_step_is_asked_for_only_where_nothing_says(panel: LabellingPanel, viewer: ViewerModel) -> None:
    viewer.add_layer(a_stack())
    assert not panel.measure.form.isRowVisible(panel.measure.step_box)
    viewer.layers.clear()
    viewer.add_layer(Image(blurred_stack(), name="bare"))
    assert panel.measure.form.isRowVisible(panel.measure.step_box)
    panel.measure.step_box.setValue(2.0)
    viewer.dims.set_point(0, 3)
    assert panel.view.z_label.text() == "z = 6.00 µm, 4 of 17"


def test_best_focus_is_found_shown_and_told(labelled: LabellingPanel, viewer: ViewerModel) -> None:
    assert labelled.result.field.best_z_um == pytest.approx(BEST_UM, abs=0.1)
    assert labelled.view.plot.peak_um == pytest.approx(labelled.result.field.best_z_um)
    assert labelled.message.text().startswith("Best focus 1.")
    assert labelled.message.tone == "good"
    assert "patches trusted" in labelled.view.reasons.text()
    assert [layer.name for layer in viewer.layers] == ["stack", stack_layer.PATCH_LAYER]


def test_button_and_click_on_the_curve_jump_to_a_plane(labelled: LabellingPanel, viewer: ViewerModel) -> None:
    viewer.dims.set_point(0, -4)
    labelled.go_button.click()
    assert viewer.dims.point[0] == pytest.approx(1.0)
    labelled.view.plot.z_clicked.emit(-2.6)
    assert viewer.dims.point[0] == pytest.approx(-2.5)


def test_patches_are_switched_off_and_on(labelled: LabellingPanel, viewer: ViewerModel) -> None:
    labelled.view.patches_check.setChecked(False)
    assert shown(viewer) == ["stack"]
    labelled.view.patches_check.setChecked(True)
    assert shown(viewer) == ["stack", stack_layer.PATCH_LAYER]


def test_the_result_goes_with_its_stack(labelled: LabellingPanel, viewer: ViewerModel) -> None:
    viewer.layers.remove("stack")
    assert labelled.result is None
    assert labelled.view.plot.peak_um is None
    assert shown(viewer) == []
    assert not labelled.go_button.isEnabled()


def test_layers_that_go_are_not_put_back(labelled: LabellingPanel, viewer: ViewerModel) -> None:
    """As napari takes them away one by one when it closes: an overlay that came back would keep it from ever ending."""
    patches = viewer.layers[-1]
    viewer.layers.remove(patches)
    assert patches not in viewer.layers
    assert len(viewer.layers) == 1
    viewer.layers.clear()
    assert len(viewer.layers) == 0


def test_cancel_ends_the_run_without_a_result(panel: LabellingPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    viewer.add_layer(Image(np.zeros((400, 128, 128), np.uint8), name="long", scale=(0.5, 1, 1)))
    panel.find_button.click()
    assert not panel.find_button.isEnabled()
    panel.measure.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.is_running)
    assert panel.result is None
    assert panel.measure.progress.value() < 400
    assert panel.find_button.isEnabled()


def test_a_stack_that_cannot_be_judged_is_a_message(panel: LabellingPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    data = np.zeros((5, 64, 64), np.float32)
    data[2, 3, 3] = np.nan
    viewer.add_layer(Image(data, name="holes", scale=(0.5, 1, 1), contrast_limits=(0, 1)))
    panel.find_button.click()
    qtbot.waitUntil(lambda: panel.message.tone == "error")
    assert "NaN" in panel.message.text()
    qtbot.waitUntil(panel.find_button.isEnabled)


def test_an_empty_field_is_not_trusted(panel: LabellingPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    noise = np.random.default_rng(0).normal(100, 2, (17, 96, 96)).astype(np.uint8)
    viewer.add_layer(Image(noise, name="empty", scale=(0.5, 1, 1)))
    panel.find_button.click()
    qtbot.waitUntil(lambda: panel.result is not None and not panel.is_running, timeout=20_000)
    assert panel.message.tone == "warning"
    assert panel.view.plot.peak_um is None


def test_what_is_said_without_a_folder_is_told_to_be_unstored(labelled: LabellingPanel, viewer: ViewerModel) -> None:
    viewer.dims.set_point(0, 2.0)
    labelled.acts.by_name["sharp"]()
    assert labelled.single.opinion.best_z_um == pytest.approx(2.0)
    assert labelled.view.plot.peak_um == pytest.approx(2.0)
    assert labelled.view.plot.others == [("Brenner", pytest.approx(BEST_UM, abs=0.1))]
    assert "not stored yet" in labelled.message.text()
    assert "no file" in labelled.message.text()
    assert not labelled.source.save_button.isEnabled()


def test_every_control_has_a_tooltip(panel: LabellingPanel) -> None:
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QTableView)
    controls = [child for kind in kinds for child in panel.findChildren(kind) if not is_inner(child)]
    assert len(controls) > 20
    assert [control for control in controls if not control.toolTip()] == []


def shown(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def is_inner(child: QWidget) -> bool:
    """Whether Qt made it, as part of another control."""
    return child.objectName().startswith("qt_") or isinstance(
        child.parent(), QAbstractSpinBox | QComboBox | QLineEdit | QTableView
    )
