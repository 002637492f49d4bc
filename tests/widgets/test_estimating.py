from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot

from made_estimates import MadeCard, made_estimate
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.models.package import open_package
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.estimate.estimating import LiveEstimator
from napari_autofocus.widgets.focus_state import Estimated
from napari_autofocus.widgets.session import Session
from tiny_models import OBJECTIVE, flat_frame, tiny_file

SHAPE = (96, 128)


class Model:
    """Says of an image what its first pixel is, in µm; keeps what it was asked."""

    name, card = "made", MadeCard()

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def estimate(self, image: np.ndarray, **settings: Any) -> FocusEstimate:
        self.asked.append({"image": image, **settings})
        self.threads.add(threading.current_thread().name)
        assert self.gate.wait(20)
        if image.shape[0] < 32:
            raise InputError("The frame is too small.")
        return made_estimate(image.shape[:2], float(image.flat[0]))


def an_image(value: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.full(shape, value, np.uint8)


def a_frame(value: int = 1, **settings: Any) -> Frame:
    return Frame(an_image(value), 7.5, 0.0, 0.0, 10.0, 0.0, 0.325, **settings)


@pytest.fixture
def model(session: Session) -> Model:
    made = Model()
    session.focus.use_model(made)
    session.focus.state_objective(OBJECTIVE)
    return made


@pytest.fixture
def estimator(session: Session, model: Model) -> Iterator[LiveEstimator]:
    made = LiveEstimator(session)
    yield made
    model.gate.set()
    made.close()


@pytest.fixture
def told(session: Session, estimator: LiveEstimator) -> list[Any]:
    """Estimates and refusals, in order."""
    heard: list[Any] = []
    session.focus.estimated.connect(heard.append)
    session.focus.refused.connect(heard.append)
    return heard


def test_a_camera_frame_is_estimated_with_what_is_known_of_it(
    session: Session, estimator: LiveEstimator, model: Model, told: list[Estimated], qtbot: QtBot
) -> None:
    estimator.set_source("camera")
    session.view.show(a_frame(3, bit_depth=8))
    qtbot.waitUntil(lambda: len(told) == 1)
    seen = told[0].seen
    assert told[0].estimate.defocus_um == 3
    assert (seen.source, seen.scale, seen.units, seen.z_um) == ("Camera", (0.325, 0.325), ("um", "um"), 7.5)
    assert model.asked[0]["bit_depth"] == 8
    assert model.asked[0]["optics"].objective.pixel_size_um == pytest.approx(0.325)
    assert session.focus.newest is told[0]


def test_frames_that_come_too_fast_are_left_out(
    session: Session, estimator: LiveEstimator, model: Model, told: list[Estimated], qtbot: QtBot
) -> None:
    model.gate.clear()
    estimator.set_source("camera")
    for value in range(1, 20):
        session.view.show(a_frame(value))
    model.gate.set()
    qtbot.waitUntil(lambda: len(told) == 2)
    assert [each.estimate.defocus_um for each in told] == [1, 19]
    assert model.threads.isdisjoint({"MainThread"})


def test_the_plane_under_the_slider_is_estimated(
    viewer: ViewerModel, session: Session, estimator: LiveEstimator, told: list[Estimated], qtbot: QtBot
) -> None:
    stack = np.arange(5, dtype=np.uint8)[:, None, None] * an_image(1)
    layer = viewer.add_layer(
        Image(stack, name="stack", scale=(0.5, 0.325, 0.325), translate=(-1, 4, 8), units=("um",) * 3)
    )
    estimator.set_source(layer)
    viewer.dims.set_point(0, 0.5)
    qtbot.waitUntil(lambda: bool(told) and told[-1].seen.z_um == 0.5)
    assert told[-1].estimate.defocus_um == 3
    assert told[-1].seen.translate == (4, 8)
    assert told[-1].seen.pixel_size_um == pytest.approx(0.325)
    viewer.dims.set_point(0, 1.0)
    qtbot.waitUntil(lambda: told[-1].estimate.defocus_um == 4)


def test_every_leading_axis_counts_and_colour_is_none(
    viewer: ViewerModel, estimator: LiveEstimator, told: list[Estimated], qtbot: QtBot
) -> None:
    data = np.zeros((2, 3, *SHAPE, 3), np.uint8)
    data[1, 2] = 9
    layer = viewer.add_layer(Image(data, rgb=True))
    viewer.dims.set_point((0, 1), (1, 2))
    estimator.set_source(layer)
    qtbot.waitUntil(lambda: len(told) == 1)
    assert told[0].estimate.defocus_um == 9
    assert told[0].seen.image.shape == (*SHAPE, 3)


def test_lazy_planes_are_read_beside_the_gui(
    viewer: ViewerModel, estimator: LiveEstimator, told: list[Estimated], qtbot: QtBot
) -> None:
    readers: set[str] = set()

    def read(block: np.ndarray) -> np.ndarray:
        readers.add(threading.current_thread().name)
        return block + 6

    lazy = da.zeros((3, *SHAPE), chunks=(1, *SHAPE), dtype=np.uint8).map_blocks(read, dtype=np.uint8)
    layer = Image(lazy, visible=False)
    readers.clear()
    viewer.add_layer(layer)
    estimator.set_source(layer)
    qtbot.waitUntil(lambda: len(told) == 1)
    assert told[0].estimate.defocus_um == 6
    assert "MainThread" not in readers


def test_the_full_resolution_of_a_pyramid_is_read(
    viewer: ViewerModel, estimator: LiveEstimator, told: list[Estimated], qtbot: QtBot
) -> None:
    layer = viewer.add_layer(Image([an_image(5), an_image(5)[::2, ::2]], multiscale=True))
    estimator.set_source(layer)
    qtbot.waitUntil(lambda: len(told) == 1)
    assert told[0].seen.shape == SHAPE


def test_new_pixels_in_the_layer_are_estimated(
    viewer: ViewerModel, estimator: LiveEstimator, told: list[Estimated], qtbot: QtBot
) -> None:
    layer = viewer.add_layer(Image(an_image(1)))
    estimator.set_source(layer)
    qtbot.waitUntil(lambda: len(told) == 1)
    layer.data = an_image(2)
    qtbot.waitUntil(lambda: told[-1].estimate.defocus_um == 2)
    layer.scale = (0.65, 0.65)
    qtbot.waitUntil(lambda: told[-1].seen.pixel_size_um == 0.65)


def test_the_objective_that_the_file_names_goes_before_the_one_at_the_microscope(
    viewer: ViewerModel, estimator: LiveEstimator, model: Model, told: list[Estimated], qtbot: QtBot
) -> None:
    about = {"napari_autofocus": {"objective": "10x/0.3"}}
    layer = viewer.add_layer(Image(an_image(1), scale=(0.65, 0.65), units=("um", "um"), metadata=about))
    estimator.set_source(layer)
    qtbot.waitUntil(lambda: len(told) == 1)
    assert model.asked[-1]["optics"].objective == Objective.parse("10x/0.3", pixel_size_um=0.65)


def test_what_cannot_be_read_is_refused_once_and_in_words(
    session: Session, estimator: LiveEstimator, model: Model, told: list[Any], qtbot: QtBot
) -> None:
    small = Frame(an_image(1, (8, 8)), 0.0, 0.0, 0.0, 10.0, 0.0, 0.325)
    estimator.set_source("camera")
    for asked in (1, 2, 3):
        session.view.show(small)
        qtbot.waitUntil(lambda asked=asked: len(model.asked) == asked)
    session.view.show(a_frame(4))
    qtbot.waitUntil(lambda: session.focus.newest is not None)
    assert [type(each) for each in told] == [InputError, Estimated]
    session.view.show(small)
    qtbot.waitUntil(lambda: len(told) == 3)
    assert str(told[2]) == "The frame is too small."
    assert session.focus.newest is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.full((96, 96), np.nan, np.float32), "NaN or infinite"),
        (np.full((96, 96), 300.0, np.float32), "from 0 to 1"),
        (np.zeros((8, 96), np.uint8), "too small"),
    ],
)
def test_a_real_model_refuses_images_in_words(
    viewer: ViewerModel,
    session: Session,
    estimator: LiveEstimator,
    told: list[Any],
    tmp_path: Any,
    qtbot: QtBot,
    data: np.ndarray,
    words: str,
) -> None:
    session.focus.use_model(ModelPredictor(open_package(tiny_file(tmp_path, colour="mono"))))
    session.focus.set_insist(True)
    estimator.set_source(viewer.add_layer(Image(data)))
    qtbot.waitUntil(lambda: len(told) >= 1)
    assert words in str(told[0])


def test_a_real_model_estimates_a_layer(
    viewer: ViewerModel, session: Session, estimator: LiveEstimator, told: list[Any], tmp_path: Any, qtbot: QtBot
) -> None:
    session.focus.use_model(ModelPredictor(open_package(tiny_file(tmp_path))))
    layer = viewer.add_layer(Image(flat_frame(0.6), rgb=True, scale=(0.325, 0.325), units=("um", "um")))
    estimator.set_source(layer)
    qtbot.waitUntil(lambda: len(told) == 1)
    assert told[0].estimate.defocus_um == pytest.approx(2.0, abs=0.05)


def test_a_file_that_is_gone_is_refused_in_words(
    viewer: ViewerModel, estimator: LiveEstimator, told: list[Any], qtbot: QtBot
) -> None:
    def gone(block: np.ndarray) -> np.ndarray:
        raise OSError("no such file")

    lazy = da.zeros(SHAPE, chunks=SHAPE, dtype=np.uint8).map_blocks(gone, dtype=np.uint8)
    estimator.set_source(viewer.add_layer(Image(lazy, contrast_limits=(0, 255), visible=False, name="lost")))
    qtbot.waitUntil(lambda: len(told) == 1)
    assert "'lost' cannot be read (no such file)" in str(told[0])


def test_settings_that_change_ask_again(
    viewer: ViewerModel, session: Session, estimator: LiveEstimator, model: Model, told: list[Any], qtbot: QtBot
) -> None:
    estimator.set_source(viewer.add_layer(Image(an_image(1))))
    qtbot.waitUntil(lambda: len(told) == 1)
    session.focus.set_insist(True)
    qtbot.waitUntil(lambda: len(told) == 2)
    session.focus.set_region(np.ones(SHAPE, bool))
    qtbot.waitUntil(lambda: len(told) == 3)
    assert model.asked[-1]["insist"]
    assert model.asked[-1]["region"].all()


def test_a_region_of_another_shape_does_not_apply(
    viewer: ViewerModel, session: Session, estimator: LiveEstimator, model: Model, told: list[Any], qtbot: QtBot
) -> None:
    session.focus.set_region(np.ones((10, 10), bool))
    estimator.set_source(viewer.add_layer(Image(an_image(1))))
    qtbot.waitUntil(lambda: len(told) == 1)
    assert model.asked[-1]["region"] is None


def test_without_a_model_there_is_no_estimate(
    viewer: ViewerModel, session: Session, estimator: LiveEstimator, told: list[Any], qtbot: QtBot
) -> None:
    estimator.set_source(viewer.add_layer(Image(an_image(1))))
    qtbot.waitUntil(lambda: len(told) == 1)
    with qtbot.waitSignal(estimator.source_changed, raising=False, timeout=1):
        session.focus.use_model(None)
    assert session.focus.newest is None
    estimator.estimate_now()
    assert len(told) == 1


def test_while_switched_off_only_a_question_is_answered(
    session: Session, estimator: LiveEstimator, model: Model, told: list[Any], qtbot: QtBot
) -> None:
    estimator.enabled = False
    estimator.set_source("camera")
    session.view.show(a_frame(1))
    session.view.show(a_frame(2))
    assert model.asked == []
    estimator.estimate_now()
    qtbot.waitUntil(lambda: len(told) == 1)
    assert told[0].estimate.defocus_um == 2


def test_it_rests_while_a_routine_runs(
    connected: tuple[Session, Any],
    estimator: LiveEstimator,
    model: Model,
    at_rest: Callable[[], None],
    qtbot: QtBot,
) -> None:
    session, _ = connected
    go = threading.Event()

    def work() -> Iterator[None]:
        yield
        assert go.wait(20)

    estimator.set_source("camera")
    session.start_run(work(), step=lambda _: None, failed=lambda _: None)
    session.view.show(a_frame(1))
    assert model.asked == []
    go.set()
    qtbot.waitUntil(lambda: not session.is_running)
    session.view.show(a_frame(2))
    qtbot.waitUntil(lambda: session.focus.newest is not None)
    assert [int(each["image"].flat[0]) for each in model.asked] == [2]


def test_an_answer_to_another_source_is_not_told(
    viewer: ViewerModel, session: Session, estimator: LiveEstimator, model: Model, told: list[Any], qtbot: QtBot
) -> None:
    model.gate.clear()
    estimator.set_source(viewer.add_layer(Image(an_image(1), name="first")))
    qtbot.waitUntil(lambda: len(model.asked) == 1)
    estimator.set_source(viewer.add_layer(Image(an_image(2), name="second")))
    model.gate.set()
    qtbot.waitUntil(lambda: len(told) == 1)
    assert told[0].seen.source == "second"


def test_a_layer_that_is_removed_is_looked_at_no_more(
    viewer: ViewerModel, session: Session, estimator: LiveEstimator, told: list[Any], qtbot: QtBot
) -> None:
    layer = viewer.add_layer(Image(an_image(1)))
    estimator.set_source(layer)
    qtbot.waitUntil(lambda: len(told) == 1)
    with qtbot.waitSignal(estimator.source_changed) as changed:
        viewer.layers.remove(layer)
    assert changed.args == [None]
    assert session.focus.newest is None


def test_the_rate_is_that_of_what_was_told(
    session: Session, estimator: LiveEstimator, told: list[Any], qtbot: QtBot
) -> None:
    assert estimator.rate_hz == 0
    estimator.set_source("camera")
    for count in (1, 2, 3):
        session.view.show(a_frame(count))
        qtbot.waitUntil(lambda count=count: len(told) == count)
    assert estimator.rate_hz > 0


def test_it_ends_with_the_session(session: Session, estimator: LiveEstimator, told: list[Any], qtbot: QtBot) -> None:
    estimator.set_source("camera")
    session.view.show(a_frame(1))
    qtbot.waitUntil(lambda: len(told) == 1)
    session.close()
    assert not any("estimates" in thread.name for thread in threading.enumerate())
