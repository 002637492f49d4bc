"""The All in focus panel: a stack that is open becomes an image and a depth map beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_autofocus.io.fused import fused_origin
from napari_autofocus.widgets.estimate.seeing import is_source
from napari_autofocus.widgets.fusing import FusingPanel
from napari_autofocus.widgets.layers.depth import is_depth
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.widgets.session import Session
from stacks import blurred_stack


def stack_layer(**more: object) -> Image:
    stack = blurred_stack(7.0, shape=(96, 128))
    about = {METADATA_KEY: {"z_um": stack.z_um.tolist(), "objective": "20x/0.75"}}
    settings: dict[str, object] = {"scale": (1.0, 0.5, 0.5), "units": ("um",) * 3, "metadata": about} | more
    return Image(stack.data, name="a stack", rgb=False, **settings)


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> FusingPanel:
    made = FusingPanel(viewer)  # type: ignore[arg-type]
    qtbot.addWidget(made)
    return made


def fuse(panel: FusingPanel, qtbot: QtBot) -> None:
    panel.start_button.click()
    qtbot.waitUntil(lambda: not panel.is_fusing, timeout=20_000)


def test_says_that_a_stack_is_missing(panel: FusingPanel) -> None:
    assert not panel.start_button.isEnabled()
    assert "Open a z-stack" in panel.message.text()


def test_an_image_and_its_depth_lie_where_the_stack_lies(panel: FusingPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    viewer.add_layer(stack_layer(translate=(0.0, 10.0, 20.0)))
    fuse(panel, qtbot)
    assert "15 planes fused" in panel.message.text()
    image, depth = viewer.layers["All in focus: a stack"], viewer.layers[-1]
    assert is_depth(depth)
    assert not is_source(depth)
    assert is_source(image)
    for layer in (image, depth):
        assert tuple(layer.scale) == (0.5, 0.5)
        assert tuple(layer.translate) == (10.0, 20.0)
    assert np.nanmedian(depth.data) == pytest.approx(7.0, abs=0.6)
    assert depth.name.startswith("Depth of focus, ")
    assert image.metadata[METADATA_KEY]["objective"].startswith("20x/0.75")
    assert not depth.visible
    assert viewer.layers.selection.active is image


def test_the_depth_map_is_switched_and_its_colours_are_told(
    panel: FusingPanel, viewer: ViewerModel, qtbot: QtBot
) -> None:
    viewer.add_layer(stack_layer())
    fuse(panel, qtbot)
    depth = viewer.layers[-1]
    panel.depth.depth_box.click()
    assert depth.visible
    low, high = panel.depth.legend.words
    assert high.endswith("µm")
    assert depth.contrast_limits == pytest.approx([float(low), float(high.split()[0])], abs=0.06)
    viewer.layers.remove(depth)
    assert not panel.depth.depth_box.isEnabled()


def test_both_are_saved(panel: FusingPanel, viewer: ViewerModel, qtbot: QtBot, tmp_path: Path) -> None:
    viewer.add_layer(stack_layer())
    fuse(panel, qtbot)
    panel.depth.save(tmp_path / "sharp.ome.tif")
    qtbot.waitUntil(lambda: "Saved" in panel.depth.message.text())
    assert fused_origin(tmp_path / "sharp.ome.tif")["source"] == "a stack"
    assert fused_origin(tmp_path / "sharp_depth.ome.tif")["kind"] == "depth of focus"


def test_where_nobody_says_the_step_is_asked_for(panel: FusingPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    viewer.add_layer(Image(blurred_stack(7.0, shape=(96, 128)).data, name="plain", rgb=False))
    assert not panel.step_box.isHidden()
    panel.step_box.setValue(2.0)
    fuse(panel, qtbot)
    assert np.nanmedian(viewer.layers[-1].data) == pytest.approx(14.0, abs=1.2)


def test_noise_is_told_as_such(panel: FusingPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    noise = np.random.default_rng(0).normal(100, 4, (7, 96, 96)).astype(np.uint8)
    viewer.add_layer(Image(noise, name="noise", scale=(1.0, 0.5, 0.5), units=("um",) * 3, rgb=False))
    fuse(panel, qtbot)
    assert panel.message.tone == "warning"
    assert "no part of this stack" in panel.message.text()


def test_stopping_adds_nothing(panel: FusingPanel, viewer: ViewerModel, qtbot: QtBot) -> None:
    viewer.add_layer(stack_layer())
    panel.start_button.click()
    panel.stop_button.click()
    qtbot.waitUntil(lambda: not panel.is_fusing, timeout=20_000)
    assert [layer.name for layer in viewer.layers] == ["a stack"]
    assert "nothing was added" in panel.message.text()
    assert panel.start_button.isEnabled()


def test_the_stack_that_is_selected_is_chosen(panel: FusingPanel, viewer: ViewerModel) -> None:
    first, second = stack_layer(), stack_layer()
    for layer in (first, second):
        viewer.add_layer(layer)
    viewer.layers.selection.active = first
    assert panel.layer is first
