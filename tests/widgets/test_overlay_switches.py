from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Shapes
from pytestqt.qtbot import QtBot

from made_estimates import made_estimate
from napari_autofocus.widgets.focus_state import Estimated, FocusState, Seen
from napari_autofocus.widgets.overlay.region import RegionTool
from napari_autofocus.widgets.overlay.switches import OverlaySwitches
from napari_autofocus.widgets.overlays import FocusOverlays

SHAPE = (128, 160)


@pytest.fixture
def state() -> FocusState:
    return FocusState()


@pytest.fixture
def switches(viewer: ViewerModel, state: FocusState, qtbot: QtBot) -> OverlaySwitches:
    made = OverlaySwitches(FocusOverlays(viewer, state), RegionTool(viewer, state), "dark")
    qtbot.addWidget(made)
    image = np.zeros(SHAPE, np.uint8)
    viewer.add_image(image, name="field")
    state.tell(Estimated(Seen(image, "field"), made_estimate(SHAPE)))
    return made


@pytest.fixture
def visible(viewer: ViewerModel, qtbot: QtBot) -> Callable[[set[str]], None]:
    """Wait until these overlays, and no others, are to be seen."""

    def wait(names: set[str]) -> None:
        qtbot.waitUntil(lambda: {layer.name for layer in viewer.layers if layer.visible} == {"field", *names})

    return wait


def test_importance_and_patches_are_on_at_first(switches: OverlaySwitches, visible: Callable[[set[str]], None]) -> None:
    visible({"Content importance", "Chosen patches (µm)"})


def test_each_overlay_has_its_switch(
    switches: OverlaySwitches, state: FocusState, visible: Callable[[set[str]], None]
) -> None:
    switches.importance_box.click()
    switches.patches_box.click()
    visible(set())
    switches.defocus_box.click()
    visible({"Patch defocus (DOF)"})


def test_the_slider_is_the_opacity(switches: OverlaySwitches, viewer: ViewerModel, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: "Content importance" in viewer.layers)
    switches.opacity_slider.setValue(25)
    assert viewer.layers["Content importance"].opacity == pytest.approx(0.25)


def test_a_region_is_drawn_told_and_cleared(
    switches: OverlaySwitches, state: FocusState, viewer: ViewerModel, qtbot: QtBot
) -> None:
    switches.draw_button.click()
    (shapes,) = [layer for layer in viewer.layers if isinstance(layer, Shapes)]
    shapes.add_rectangles(np.array([[0, 0], [64, 160]]))
    qtbot.waitUntil(lambda: state.region is not None)
    assert "of the image counts" in switches.note.text()
    switches.clear_button.click()
    assert state.region is None
    assert switches.note.text() == ""


def test_drawing_and_clearing_end_excluding(switches: OverlaySwitches) -> None:
    for other in (switches.draw_button, switches.clear_button):
        switches.exclude_button.setChecked(True)
        assert switches.region.excluding
        other.click()
        assert not switches.exclude_button.isChecked()
        assert not switches.region.excluding
