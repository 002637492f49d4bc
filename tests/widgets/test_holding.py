"""The Hold tab over the simulated microscope."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.hold.plot import DriftPlot
from napari_autofocus.widgets.hold.tab import HoldSection
from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.workflows.runs.drift_log import Look


class Card:
    dof_um, range_um = 1.2, 10.0


class Oracle:
    """The true defocus of a rig; ``verdict`` is what a test makes it say."""

    name, fingerprint, card = "oracle", "f" * 64, Card()

    def __init__(self, rig: SimulatedRig) -> None:
        self._rig = rig
        self.verdict: Any = "flat"

    def estimate(self, image: np.ndarray, **_: Any) -> FocusEstimate:
        value = self._rig.true_defocus_um()
        patches = (PatchPrediction(0, 0, 64, 1.0, True, value, 0.1, 0.9),)
        return FocusEstimate(self.verdict, value, 0.1, reasons=("It says so.",), patches=patches)


@pytest.fixture
def oracle(connected: tuple[Session, SimulatedRig]) -> Oracle:
    session, rig = connected
    model = Oracle(rig)
    session.focus.use_model(model)  # type: ignore[arg-type]
    return model


@pytest.fixture
def section(session: Session, qtbot: QtBot) -> HoldSection:
    made = HoldSection(session, "dark")
    qtbot.addWidget(made)
    made.interval_box.setValue(0.5)
    return made


def hold(section: HoldSection, qtbot: QtBot, rounds: int = 1) -> None:
    section.hold_button.click()
    qtbot.waitUntil(lambda: len(section.plot.points) >= rounds or not section.is_holding, timeout=10_000)


def stop(section: HoldSection, qtbot: QtBot) -> None:
    section.hold_button.click()
    qtbot.waitUntil(lambda: not section.is_holding)


def test_says_what_is_missing_and_cannot_be_started(section: HoldSection, session: Session) -> None:
    assert not section.hold_button.isEnabled()
    assert "Connect a microscope" in section.message.text()


def test_a_microscope_without_a_model_is_not_enough(
    connected: tuple[Session, SimulatedRig], section: HoldSection, qtbot: QtBot
) -> None:
    assert not section.hold_button.isEnabled()
    assert "Choose a model" in section.message.text()


def test_follows_best_focus_and_shows_the_drift(
    connected: tuple[Session, SimulatedRig], oracle: Oracle, section: HoldSection, qtbot: QtBot
) -> None:
    session, rig = connected
    hold(section, qtbot, rounds=1)
    qtbot.waitUntil(lambda: abs(rig.true_defocus_um()) < 0.3, timeout=10_000)  # the field is at 1.5 µm
    assert section.hold_button.text() == "Stop holding"
    qtbot.waitUntil(lambda: section.state_word.text() in ("Corrected", "Holding"))
    assert [layer.name for layer in session.viewer.layers] == ["Camera"]
    assert session.focus.newest is not None
    assert "Drift" in section.summary.text()
    stop(section, qtbot)
    assert section.record is not None
    assert (section.record.ended, section.record.moves) == ("cancelled", 1)
    assert abs(rig.true_defocus_um()) < 0.3
    assert "1 move, 0 pauses" in section.summary.text()


def test_the_dead_band_follows_the_model(section: HoldSection, oracle: Oracle) -> None:
    assert section.band_box.value() == pytest.approx(0.24)


def test_settings_cannot_be_changed_while_it_holds(section: HoldSection, oracle: Oracle, qtbot: QtBot) -> None:
    boxes = (section.interval_box, section.band_box, section.window_box)
    section.hold_button.click()
    assert not any(box.isEnabled() for box in boxes)
    stop(section, qtbot)
    assert all(box.isEnabled() for box in boxes)


def test_pauses_for_a_person_and_says_so(
    connected: tuple[Session, SimulatedRig], oracle: Oracle, section: HoldSection, qtbot: QtBot
) -> None:
    session, rig = connected
    hold(section, qtbot, rounds=1)
    session.ask(lambda microscope: microscope.focus.move_to(-6.0))
    qtbot.waitUntil(lambda: section.state_word.text() == "Paused", timeout=10_000)
    assert "moved by somebody else" in section.message.text()
    assert rig.microscope.focus.position_um() == pytest.approx(-6.0, abs=0.1)
    stop(section, qtbot)
    assert section.record is not None
    assert section.record.pauses == 1


def test_live_goes_on_between_the_looks(
    connected: tuple[Session, SimulatedRig], oracle: Oracle, section: HoldSection, qtbot: QtBot
) -> None:
    session, rig = connected
    session.set_live(True)
    qtbot.waitUntil(lambda: session.view.frames_shown >= 1)
    hold(section, qtbot, rounds=2)
    before = session.view.frames_shown
    qtbot.waitUntil(lambda: session.view.frames_shown > before + 3, timeout=10_000)
    assert section.is_holding
    stop(section, qtbot)
    assert session.is_live
    assert rig.core.isSequenceRunning()


def test_says_why_it_stopped_by_itself(section: HoldSection, oracle: Oracle, qtbot: QtBot) -> None:
    oracle.verdict = "no_content"
    section.hold_button.click()
    qtbot.waitUntil(lambda: not section.is_holding, timeout=10_000)
    assert section.state_word.text() == "Stopped: no content"
    assert "in 5 rounds in a row. It says so." in section.message.text()
    assert section.hold_button.text() == "Hold focus"
    assert section.hold_button.isEnabled()
    assert not section.hold_button.isChecked()


def test_a_drive_of_unknown_direction_is_refused_until_it_is_stated(
    session: Session, section: HoldSection, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    rig = make_rig(tells_direction=False)
    session.connect(Connection("test rig", rig.microscope, rig.close, dof_um=1.0, rig=rig))
    session.focus.use_model(Oracle(rig))  # type: ignore[arg-type]
    section.hold_button.click()
    qtbot.waitUntil(lambda: not section.is_holding)
    assert section.state_word.text() == "Refused"
    assert "state it, or run a refocus" in section.message.text()
    session.focus.state_direction(1)
    hold(section, qtbot, rounds=1)
    assert section.is_holding
    stop(section, qtbot)


def test_another_run_cannot_be_joined_and_a_hold_waits_for_it(
    connected: tuple[Session, SimulatedRig], oracle: Oracle, section: HoldSection, qtbot: QtBot
) -> None:
    session, _ = connected
    release = threading.Event()

    def routine() -> Generator[None, None, None]:
        release.wait(5)
        yield None

    session.start_run(routine(), step=lambda step: None, failed=lambda error: None)
    assert not section.hold_button.isEnabled()
    release.set()
    qtbot.waitUntil(section.hold_button.isEnabled)
    hold(section, qtbot, rounds=1)
    release.clear()
    session.start_run(routine(), step=lambda step: None, failed=lambda error: None)
    assert section.state_word.text() == "Waiting"
    release.set()
    qtbot.waitUntil(lambda: section.state_word.text() != "Waiting", timeout=10_000)
    stop(section, qtbot)


@pytest.mark.parametrize("how", ["disconnect", "close"])
def test_ends_with_the_microscope(
    connected: tuple[Session, SimulatedRig], oracle: Oracle, section: HoldSection, qtbot: QtBot, how: str
) -> None:
    session, _ = connected
    hold(section, qtbot, rounds=1)
    getattr(session, how)()
    assert not section.is_holding
    assert not section.hold_button.isEnabled()
    assert "Connect a microscope" in section.message.text()
    assert section.record is not None
    assert section.record.ended == "cancelled"
    session.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("napari-autofocus")]


def test_another_model_ends_the_hold(
    connected: tuple[Session, SimulatedRig], oracle: Oracle, section: HoldSection, qtbot: QtBot
) -> None:
    session, rig = connected
    hold(section, qtbot, rounds=1)
    session.focus.use_model(Oracle(rig))  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: not section.is_holding)
    assert section.record is not None
    assert section.record.ended == "cancelled"


def test_a_panel_that_is_destroyed_ends_its_hold(
    connected: tuple[Session, SimulatedRig], oracle: Oracle, qtbot: QtBot
) -> None:
    session, _ = connected
    section = HoldSection(session, "dark")
    hold(section, qtbot, rounds=1)
    job = section._current.job
    assert job is not None
    section.deleteLater()
    qtbot.waitUntil(lambda: job.is_over)
    qtbot.waitUntil(lambda: not session.hardware.busy)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_wears_the_theme(section: HoldSection, theme: str) -> None:
    section.set_theme(theme)
    section.message.fail("Broken.")
    assert theme_colours(theme).error in section.message.styleSheet()


def test_every_control_has_a_tooltip_and_tabs_run_down_the_panel(section: HoldSection) -> None:
    controls = [section.hold_button, section.interval_box, section.window_box, section.band_box]
    assert all(control.toolTip() for control in controls)
    assert [control for control in _focus_chain(section) if control in controls] == controls


def _focus_chain(section: HoldSection) -> list[Any]:
    chain, widget = [], section.nextInFocusChain()
    while widget is not section:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    return chain


# The plot.


@pytest.fixture
def plot(qtbot: QtBot) -> DriftPlot:
    made = DriftPlot("dark")
    qtbot.addWidget(made)
    return made


def test_the_drive_is_drawn_from_the_same_zero_as_the_drift(plot: DriftPlot) -> None:
    plot.add(60.0, 12.0, 12.5, 0.5)
    assert plot.points == [(1.0, 0.5, 0.0)]


def test_a_pause_breaks_the_line_once(plot: DriftPlot) -> None:
    plot.add(0.0, 0.0, 0.0, 0.0)
    for at_s in (60.0, 120.0):
        plot.add(at_s, 5.0, None, None)
    plot.add(180.0, 5.0, 5.0, 0.0)
    assert np.isnan([drift for _, drift, _ in plot.points]).tolist() == [False, True, False]


def test_a_long_hold_is_thinned_and_kept_whole(plot: DriftPlot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "_draw", lambda: None)
    for number in range(20_000):
        plot.add(number * 5.0, 0.0, 0.0, number / 1000)
    assert len(plot.points) <= 2000
    minutes = [point[0] for point in plot.points]
    assert minutes[0] < 2
    assert minutes[-1] > 20_000 * 5 / 60 - 3
    assert minutes == sorted(minutes)


def test_the_drift_is_told_with_its_error_and_saved(
    connected: tuple[Session, SimulatedRig], section: HoldSection, qtbot: QtBot, tmp_path: Path
) -> None:
    rng, start = np.random.default_rng(0), datetime(2026, 5, 4, tzinfo=UTC)
    for number in range(40):
        best_um = 5 + 0.5 * number / 6 + rng.normal(0, 0.05)
        section.drift.add(Look(start + timedelta(seconds=10 * number), "live", 5.0, best_um, 0.1))
    qtbot.waitUntil(lambda: section.drift.drift is not None)
    drift = section.drift.drift
    assert abs(drift.rate_um_h - 30.0) < 3 * drift.error_um_h
    assert "µm/min" in section.drift.message.text()
    section.drift.save(tmp_path / "drift.csv")
    qtbot.waitUntil(lambda: "40 looks written" in section.drift.message.text())
    assert (tmp_path / "drift.csv").read_text().count("live") == 40


def test_frames_that_are_estimated_anyway_tell_the_drift(
    connected: tuple[Session, SimulatedRig], oracle: Oracle, section: HoldSection, qtbot: QtBot
) -> None:
    _, rig = connected
    hold(section, qtbot, rounds=1)
    qtbot.waitUntil(lambda: bool(section.drift.looks), timeout=10_000)
    stop(section, qtbot)
    look = section.drift.looks[0]
    assert look.source == "hold"
    best_um = rig.microscope.focus.position_um() - rig.microscope.focus.focus_direction * rig.true_defocus_um()
    assert look.best_z_um == pytest.approx(best_um, abs=0.3)
