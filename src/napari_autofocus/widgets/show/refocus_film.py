"""A film of one refocus: live and out of focus, what the model sees in it, Refocus pressed, in focus."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QDockWidget, QMainWindow

from napari_autofocus.widgets.connecting import SimulatedChoice
from napari_autofocus.widgets.demo import Demo
from napari_autofocus.widgets.parts.waiting import Waiting
from napari_autofocus.widgets.show.animation import Film

_WINDOW_PX = (1060, 700)
_NAPARI_DOCKS = ("layer controls", "layer list")


def film_refocus(choice: SimulatedChoice, path: Path, *, seconds: float = 120.0) -> None:
    """Refocus a simulated microscope and film it.

    Parameters
    ----------
    choice : SimulatedChoice
        Microscope and slide.
    path : Path
        The GIF; an existing one is replaced.
    seconds : float
        Time for all of it, s.

    Raises
    ------
    RoutineTimeout
        If something takes too long.
    InputError
        If the file cannot be written.
    """
    demo = Demo(choice)
    try:
        _make_room(demo)
        film = Film(demo.viewer)
        _play(demo, film, Waiting(demo.session, seconds))
        film.save(path)
    finally:
        demo.viewer.close()


def _make_room(demo: Demo) -> None:
    """The picture is small: leave out napari's own panels, which have no part in it."""
    window = demo.autofocus.window()
    assert isinstance(window, QMainWindow)
    for dock in window.findChildren(QDockWidget):
        if dock.objectName() in _NAPARI_DOCKS:
            dock.hide()
    window.resize(*_WINDOW_PX)


def _play(demo: Demo, film: Film, wait: Waiting) -> None:
    demo.connect()
    wait.for_microscope_and_model()
    demo.show_overlays(False)
    wait.for_answer()
    demo.viewer.reset_view()
    wait.settle()
    film.grab(1.2)
    demo.show_overlays(True)
    wait.settle()
    film.grab(2.0)
    button = demo.autofocus.refocusing.buttons.refocus
    button.setDown(True)
    film.grab(0.4)
    button.setDown(False)
    wait.meanwhile = film.grab
    button.click()
    wait.for_rest()
    wait.for_answer()
    wait.meanwhile = _nothing
    wait.settle()
    film.grab(2.0)
    demo.show_overlays(False)
    wait.settle()
    film.grab(2.4)


def _nothing() -> None:
    pass
