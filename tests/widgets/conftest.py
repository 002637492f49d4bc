from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets import preferences
from napari_autofocus.widgets.session import Connection, Session


@pytest.fixture
def viewer(qtbot: QtBot) -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def session(viewer: ViewerModel) -> Iterator[Session]:
    made = Session.of(viewer)
    yield made
    made.close()


@pytest.fixture
def connected(session: Session, make_rig: Callable[..., SimulatedRig]) -> tuple[Session, SimulatedRig]:
    """A session with a small simulated microscope on a virtual clock."""
    rig = make_rig()
    session.connect(Connection("test rig", rig.microscope, rig.close, dof_um=1.0, rig=rig))
    return session, rig


@pytest.fixture
def at_rest(session: Session, qtbot: QtBot) -> Callable[[], None]:
    """Wait until the hardware thread has nothing to do."""
    return lambda: qtbot.waitUntil(lambda: not session.hardware.busy)


@pytest.fixture(autouse=True)
def no_preferences(monkeypatch: pytest.MonkeyPatch) -> None:
    """What whoever runs the tests has set in napari counts for nothing here."""
    monkeypatch.setattr(preferences, "_page", lambda: None)
