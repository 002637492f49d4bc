"""Grey camera frames are shown as bright as they come, and no brighter frame is shown as white blots."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.widgets.choices import SlideChoice
from napari_autofocus.widgets.frames import LiveView
from napari_autofocus.widgets.stand.slide import SlideForm


def frame(brightest: int, kind: type = np.uint16, shape: tuple[int, ...] = (64, 80)) -> Frame:
    image = np.full(shape, 100, kind)
    image[:16, :16] = brightest
    return Frame(image, 0.0, 0.0, 0.0, 10.0, 0.0, 0.325)


def limits(view: LiveView) -> tuple[float, float]:
    low, high = view._layer.contrast_limits  # type: ignore[union-attr]
    return low, high


def test_a_brighter_frame_widens_the_limits(qtbot: object) -> None:
    view = LiveView(ViewerModel())
    view.show(frame(3000))
    assert limits(view)[1] <= 3000
    view.show(frame(30_000))
    assert limits(view)[1] >= 30_000
    before = limits(view)
    view.show(frame(2000))
    assert limits(view) == before
    view.show(frame(65_535))
    assert limits(view)[1] == 65_535


def test_limits_that_the_user_has_set_are_left_alone(qtbot: object) -> None:
    view = LiveView(ViewerModel())
    view.show(frame(3000))
    view._layer.contrast_limits = (0, 500)  # type: ignore[union-attr]
    view.show(frame(30_000))
    assert limits(view) == (0, 500)


def test_frames_in_colour_are_shown_as_they_are(qtbot: object) -> None:
    view = LiveView(ViewerModel())
    view.show(frame(200, np.uint8, (64, 80, 3)))
    view.show(frame(255, np.uint8, (64, 80, 3)))
    assert view._layer.rgb  # type: ignore[union-attr]


def test_the_form_of_a_slide_says_which_camera(qtbot: object) -> None:
    form = SlideForm()
    form.show_slide(SlideChoice("beads", "sparse"))
    assert form.slide().camera is None
    assert form.slide().scene("20x/0.75", (32, 48)).camera.colour == "mono"
    form.show_slide(SlideChoice("beads", "sparse", camera="rgb"))
    assert form.slide().camera == "rgb"
    assert form.slide().scene("20x/0.75", (32, 48)).camera.colour == "rgb"
