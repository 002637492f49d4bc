from __future__ import annotations

import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.content import ContentSheet, FieldContent
from napari_autofocus.simulation.psf import Optics
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.topography import Topography

SHAPE = (96, 128)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@dataclass
class Chequers:
    """A slide of chequers, 1 µm higher for each 100 µm of x; counts how often it is drawn."""

    empty: bool = False
    drawn: list[tuple[float, float]] = field(default_factory=list)

    def field(
        self, x_um: float, y_um: float, shape: tuple[int, int], pixel_size_um: float, margin_px: int = 0
    ) -> FieldContent:
        self.drawn.append((x_um, y_um))
        height, width = shape[0] + 2 * margin_px, shape[1] + 2 * margin_px
        y = y_um + (np.arange(height) - (height - 1) / 2)[:, None] * pixel_size_um
        x = x_um + (np.arange(width) - (width - 1) / 2) * pixel_size_um
        on = (np.floor(x / 5) + np.floor(y / 5)) % 2 == (2 if self.empty else 0)
        absorbance = np.repeat(on[..., None] * np.float32(0.8), 3, axis=2)
        sheet = ContentSheet(np.broadcast_to(x / 100, on.shape).astype(np.float32), on, absorbance=absorbance)
        return FieldContent((sheet,), "absorption", pixel_size_um, margin_px)


@pytest.fixture
def scene() -> Scene:
    return Scene(Chequers(), Optics(Objective.parse("20x/0.75")), shape=SHAPE)  # type: ignore[arg-type]


def test_build_makes_images_of_the_slide(rng: np.random.Generator) -> None:
    scene = Scene.build("he", "dense", "10x/0.3", seed=2, shape=SHAPE, camera=Camera(bit_depth=12), condenser_ratio=0.5)
    image = scene.snap(0.0, 0.0, 0.0, rng=rng)

    assert image.shape == (*SHAPE, 3)
    assert image.dtype == np.uint16
    assert scene.shape == SHAPE
    assert scene.pixel_size_um == pytest.approx(0.65)
    assert scene.objective.name == "10x/0.3"
    assert scene.optics.condenser_ratio == 0.5


def test_build_takes_topography_and_even_optics() -> None:
    flat = Scene.build(shape=SHAPE, topography=Topography.flat())
    even = Scene.build(shape=SHAPE, topography=Topography.tilted(), even=True)

    assert np.ptp(flat.best_focus_map(300.0, -200.0)) == 0
    assert np.ptp(even.best_focus_map(300.0, -200.0)) == 0
    assert even.optics.even


def test_truth_follows_the_slide(scene: Scene) -> None:
    assert scene.best_focus_um(0.0, 0.0) == pytest.approx(0.0, abs=0.02)
    assert scene.best_focus_um(500.0, 0.0) == pytest.approx(-5.0, abs=0.02)
    assert scene.best_focus_map(500.0, 0.0).shape == SHAPE


def test_truth_of_an_empty_field_is_that_of_the_whole_field() -> None:
    scene = Scene(Chequers(empty=True), Optics(Objective.parse("20x/0.75")), shape=SHAPE)  # type: ignore[arg-type]

    assert scene.best_focus_um(300.0, 0.0) == pytest.approx(-3.0, abs=0.02)


def test_field_is_sharpest_at_its_truth(scene: Scene) -> None:
    best = scene.best_focus_um(200.0, 0.0)
    gradients = [np.std(np.diff(scene.render(200.0, 0.0, best + d), axis=1)) for d in (-2.0, 0.0, 2.0)]

    assert gradients[1] > 1.3 * gradients[0]
    assert gradients[1] > 1.3 * gradients[2]


def test_field_is_drawn_once_for_a_whole_stack(scene: Scene, rng: np.random.Generator) -> None:
    planes = list(scene.stack(10.0, 20.0, [-2.0, 0.0, 2.0], rng))
    scene.best_focus_um(10.0, 20.0)

    assert len(planes) == 3
    assert planes[0].shape == (*SHAPE, 3)
    assert scene.specimen.drawn == [(10.0, 20.0)]  # type: ignore[attr-defined]


def test_only_the_last_fields_are_kept(scene: Scene) -> None:
    for x_um in (0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 0.0):
        scene.content_at(x_um, 0.0)

    assert [x for x, _ in scene.specimen.drawn] == [0.0, 1.0, 2.0, 3.0, 4.0, 0.0]  # type: ignore[attr-defined]


def test_neighbouring_fields_agree_where_they_overlap(scene: Scene) -> None:
    shift = 32
    left = scene.render(0.0, 0.0, 1.0)
    right = scene.render(shift * scene.pixel_size_um, 0.0, 1.0)

    np.testing.assert_allclose(left[:, shift:], right[:, :-shift], atol=0.01)


def test_same_seed_gives_the_same_image_in_another_process(scene: Scene) -> None:
    copy = pickle.loads(pickle.dumps(scene))
    first = scene.snap(0.0, 0.0, 1.0, rng=np.random.default_rng(1))

    np.testing.assert_array_equal(first, copy.snap(0.0, 0.0, 1.0, rng=np.random.default_rng(1)))


def test_margin_grows_with_the_blur() -> None:
    margins = [Scene.build(objective=name).margin_px for name in ("10x/0.3", "20x/0.75", "40x/0.95")]

    assert margins == sorted(margins)
    assert margins[1] * 0.325 > 10 * np.tan(np.arcsin(0.75))


@pytest.mark.parametrize("place", [(np.nan, 0.0, 0.0), (0.0, np.inf, 0.0), (0.0, 0.0, np.nan)])
def test_impossible_positions_are_refused(scene: Scene, place: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="finite"):
        scene.render(*place)


def test_tiny_images_are_refused() -> None:
    with pytest.raises(InputError, match="16"):
        Scene.build(shape=(8, 100))


def test_light_is_kept_while_nothing_moves_and_noise_is_not(
    scene: Scene, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[tuple[float, ...]] = []
    render = scene.render

    def counted(*place: float) -> np.ndarray:
        places.append(place)
        return render(*place)

    monkeypatch.setattr(scene, "render", counted)
    first, second = scene.snap(0.0, 0.0, 1.0, rng=rng), scene.snap(0.0, 0.0, 1.0, rng=rng)
    scene.snap(0.0, 0.0, 1.5, rng=rng)
    again = scene.snap(0.0, 0.0, 1.0, rng=rng)
    assert places == [(0.0, 0.0, 1.0), (0.0, 0.0, 1.5), (0.0, 0.0, 1.0)]
    assert not np.array_equal(first, second)
    assert abs(first.astype(float).mean() - again.astype(float).mean()) < 0.1
