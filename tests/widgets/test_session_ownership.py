"""Two viewers, a script and somebody's acquisition over one core: one has it, the others are told who."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from useq import MDASequence

from napari_autofocus.errors import InputError, MicroscopeTaken
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.running.owning import owning
from napari_autofocus.widgets import session as session_module
from napari_autofocus.widgets.session import Connection, Session

PLACES = MDASequence(stage_positions=[(0, 0, 1), (300, 0, 2)])


@pytest.fixture
def other_session(connected: tuple[Session, SimulatedRig]) -> Iterator[Session]:
    """Another viewer with a microscope of its own over the same core."""
    _, rig = connected
    microscope = CoreMicroscope(rig.core, clock=rig.clock, late_report_s=0.0)
    made = Session.of(ViewerModel())
    made.connect(Connection("the same core", microscope, microscope.close, dof_um=1.0))
    yield made
    made.close()


class Survey:
    """A run that owns the microscope until it is told to end."""

    def __init__(self, session: Session) -> None:
        self.may_end = threading.Event()
        assert session.microscope is not None
        session.start_run(owning(session.microscope, "the survey", self._steps()), failed=session.failed.emit)

    def _steps(self) -> Iterator[None]:
        while not self.may_end.wait(0.01):
            yield None


def owner_of(session: Session) -> str | None:
    assert session.microscope is not None
    return session.microscope.ownership.owner


def test_a_second_viewer_is_told_who_has_the_microscope(
    connected: tuple[Session, SimulatedRig], other_session: Session, qtbot: QtBot
) -> None:
    session, rig = connected
    told: list[Exception] = []
    other_session.failed.connect(told.append)
    survey = Survey(session)
    qtbot.waitUntil(lambda: owner_of(session) == "the survey")

    other_session.ask(lambda microscope: microscope.focus.move_to(3.0))
    qtbot.waitUntil(lambda: bool(told))

    assert isinstance(told[0], MicroscopeTaken)
    assert str(told[0]).startswith("The survey has had the microscope for ")
    assert "(thread napari-autofocus hardware_0)" in str(told[0])
    assert rig.core.getPosition() == 0.0
    survey.may_end.set()
    qtbot.waitUntil(lambda: not session.is_running)
    other_session.ask(lambda microscope: microscope.focus.move_to(3.0))
    qtbot.waitUntil(lambda: rig.core.getPosition() == 3.0)


def test_stopping_a_run_frees_the_microscope(
    connected: tuple[Session, SimulatedRig], other_session: Session, qtbot: QtBot
) -> None:
    session, _ = connected
    Survey(session)
    qtbot.waitUntil(lambda: owner_of(other_session) == "the survey")
    session.stop_run()
    qtbot.waitUntil(lambda: owner_of(other_session) is None)


def test_closing_the_viewer_frees_the_microscope(
    connected: tuple[Session, SimulatedRig], other_session: Session, qtbot: QtBot
) -> None:
    session, _ = connected
    Survey(other_session)
    qtbot.waitUntil(lambda: owner_of(session) == "the survey")
    other_session.close()
    assert owner_of(session) is None


def test_whoever_starts_an_acquisition_beside_a_run_is_told_why_it_ended(
    connected: tuple[Session, SimulatedRig], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, rig = connected
    told: list[Exception] = []
    shown: list[str] = []
    session.failed.connect(told.append)
    monkeypatch.setattr(session_module, "show_warning", shown.append)
    survey = Survey(session)
    qtbot.waitUntil(lambda: owner_of(session) == "the survey")

    acquisition = threading.Thread(target=rig.core.mda.run, args=(PLACES,))
    acquisition.start()
    qtbot.waitUntil(lambda: bool(shown))
    acquisition.join()

    assert isinstance(told[0], InputError)
    assert shown[0].startswith("The acquisition was cancelled before it moved anything: The survey has had")
    assert rig.core.getPosition() == 0.0
    survey.may_end.set()
    qtbot.waitUntil(lambda: not session.is_running)
