"""The window is filmed: frames last as long as asked, noise costs no room, the file is whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_autofocus.errors import InputError
from napari_autofocus.widgets.show.animation import Film, without_noise


class FakeViewer:
    """A window that shows noise around a grey that a test sets."""

    def __init__(self) -> None:
        self.grey = 100
        self._rng = np.random.default_rng(1)

    def screenshot(self, **_: Any) -> np.ndarray:
        picture = np.full((74, 136, 4), 255, np.uint8)
        picture[..., :3] = self.grey + self._rng.integers(-3, 4, (74, 136, 3))
        return picture


def test_a_film_lasts_as_long_as_its_frames(tmp_path: Path) -> None:
    viewer = FakeViewer()
    film = Film(viewer, width_px=68)
    film.grab(1.5)
    viewer.grey = 200
    film.grab(0.5)
    film.save(tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as saved:
        assert (saved.size, saved.n_frames) == ((68, 37), 2)
        assert saved.info["duration"] == 1500
        first = np.asarray(saved.convert("RGB")).mean()
        saved.seek(1)
        assert saved.info["duration"] == 500
        assert np.asarray(saved.convert("RGB")).mean() - first == pytest.approx(100, abs=10)
    assert film.seconds == 2.0


def test_frames_that_follow_each_other_at_once_are_left_out() -> None:
    film = Film(FakeViewer())
    film.grab()
    film.grab()
    assert len(film) == 1
    film.grab(1.0)
    assert len(film) == 2


def test_a_pixel_changes_only_when_it_really_changes() -> None:
    rng = np.random.default_rng(0)
    first = np.full((40, 40, 3), 100, np.uint8)
    noisy = (first + rng.integers(0, 6, first.shape)).astype(np.uint8)
    moved = noisy.copy()
    moved[10:20, 10:20] = 200
    still = without_noise([first, noisy, moved])
    assert np.array_equal(still[1], first)
    assert np.array_equal(still[2][12:18, 12:18], moved[12:18, 12:18])
    assert np.array_equal(still[2][25:], first[25:])


def test_noise_adds_up_only_until_it_shows() -> None:
    """A slow change is followed: what counts is the difference from what is shown, not from the frame before."""
    frames = [np.full((8, 8, 3), 100 + 4 * step, np.uint8) for step in range(10)]
    assert int(without_noise(frames)[-1].max()) >= 126


def test_noise_takes_little_room(tmp_path: Path) -> None:
    film = Film(FakeViewer(), width_px=136)
    film.grab(0.1)
    film.save(tmp_path / "one.gif")
    for _ in range(9):
        film.grab(0.1)
    film.save(tmp_path / "ten.gif")
    assert (tmp_path / "ten.gif").stat().st_size < 2 * (tmp_path / "one.gif").stat().st_size


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    film = Film(FakeViewer())
    film.grab(1.0)
    with pytest.raises(InputError, match="choose a folder that exists"):
        film.save(tmp_path / "gone" / "film.gif")
