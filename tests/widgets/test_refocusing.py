"""The Refocus tab over a small simulated microscope and a model that tells the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from made_estimates import empty_estimate
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.routines.refocus_config import Composite, RefocusStep
from napari_autofocus.widgets.refocus import focus_runs
from napari_autofocus.widgets.refocus.tab import RefocusSection
from napari_autofocus.widgets.session import Connection, Session
from truthful_model import TruthfulModel

Prepare = Callable[..., SimulatedRig]


@pytest.fixture
def section(session: Session, qtbot: QtBot) -> RefocusSection:
    made = RefocusSection(session, "dark")
    qtbot.addWidget(made)
    return made


@pytest.fixture
def prepare(section: RefocusSection, session: Session, make_rig: Callable[..., SimulatedRig]) -> Prepare:
    """Connect a rig that stands 5.5 µm above focus, with a model that knows it."""

    def connect(**settings: object) -> SimulatedRig:
        rig = make_rig(**settings)
        rig.microscope.focus.move_to(7.0)
        objective = Objective.parse("20x/0.75")
        session.connect(Connection("rig", rig.microscope, rig.close, dof_um=1.0, objective=objective, rig=rig))
        session.focus.use_model(TruthfulModel(rig))
        return rig

    return connect


@pytest.fixture
def rig(prepare: Prepare) -> SimulatedRig:
    return prepare()


@pytest.fixture
def run(section: RefocusSection, session: Session, qtbot: QtBot) -> Callable[[], None]:
    """Press Refocus and wait for the end."""

    def press() -> None:
        section.buttons.refocus.click()
        assert session.is_running
        qtbot.waitUntil(lambda: not session.is_running, timeout=20_000)

    return press


def z_um(rig: SimulatedRig) -> float:
    return float(rig.core.getPosition("Z"))


def model_of(session: Session) -> TruthfulModel:
    assert isinstance(session.focus.model, TruthfulModel)
    return session.focus.model


# what is missing


def test_without_a_microscope_it_says_what_to_do(section: RefocusSection) -> None:
    assert not section.buttons.refocus.isEnabled()
    assert "Connect a microscope" in section.message.text()


def test_without_a_model_it_offers_a_sweep(
    section: RefocusSection, connected: tuple[Session, SimulatedRig], run: Callable[[], None]
) -> None:
    assert not section.buttons.refocus.isEnabled()
    assert "Choose a model" in section.message.text()
    section.options.method_box.setCurrentIndex(section.options.method_box.findData("sweep"))
    assert section.buttons.refocus.isEnabled()
    assert not section.buttons.propose.isEnabled()
    connected[1].microscope.focus.move_to(7.0)
    run()
    assert section.record.outcome == "focused", section.record.reasons


# refocus


def test_refocus_goes_into_focus_and_says_so(
    section: RefocusSection, rig: SimulatedRig, run: Callable[[], None]
) -> None:
    run()
    assert section.record.outcome == "focused"
    assert abs(rig.true_defocus_um()) < 0.3
    assert section.message.text().startswith("Moved −5.")
    assert "in 1 move, 2 frames" in section.message.text()
    assert section.message.tone == "good"
    assert section.reasons.text() == ""


def test_every_frame_is_shown_with_its_estimate(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None], qtbot: QtBot
) -> None:
    estimated: list[float] = []
    session.focus.estimated.connect(lambda found: estimated.append(found.estimate.defocus_um))
    run()
    qtbot.waitUntil(lambda: session.view.frames_shown == section.record.frames == len(estimated))
    assert estimated[0] == pytest.approx(5.5, abs=0.1)
    assert abs(estimated[-1]) < 0.3


def test_what_came_of_a_run_is_told_before_its_last_frame_is_drawn(
    section: RefocusSection,
    session: Session,
    rig: SimulatedRig,
    run: Callable[[], None],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(focus_runs, "_DRAWN_AFTER_MS", 2000)  # however slow this machine is
    shown: list[int] = []
    section.finished.connect(lambda _: shown.append(session.view.frames_shown))
    run()
    assert shown == [section.record.frames - 1]
    qtbot.waitUntil(lambda: session.view.frames_shown == section.record.frames)


def test_in_live_mode_the_last_frame_is_drawn_before_newer_ones(
    section: RefocusSection,
    session: Session,
    rig: SimulatedRig,
    run: Callable[[], None],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(focus_runs, "_DRAWN_AFTER_MS", 60_000)
    estimated: list[float] = []
    session.focus.estimated.connect(lambda found: estimated.append(found.estimate.defocus_um))
    session.set_live(True)
    qtbot.waitUntil(lambda: session.view.frames_shown >= 1)
    run()
    assert abs(estimated[-1]) < 0.3


def test_a_run_is_logged_with_pictures(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None]
) -> None:
    run()
    (entry,) = session.runs.entries
    assert entry.record is section.record
    assert entry.before is not None
    assert not np.array_equal(entry.before, entry.after)


def test_live_mode_is_resumed(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None], qtbot: QtBot
) -> None:
    session.set_live(True)
    qtbot.waitUntil(lambda: session.view.frames_shown >= 1)
    run()
    shown = session.view.frames_shown
    qtbot.waitUntil(lambda: session.view.frames_shown > shown)
    assert rig.core.isSequenceRunning()


def test_an_empty_field_is_left_alone_with_a_reason(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None]
) -> None:
    model_of(session).answer = lambda shape, _: empty_estimate(shape)
    run()
    assert section.record.outcome == "skipped_no_content"
    assert section.message.text().startswith("No content to focus on")
    assert section.message.tone == "warning"
    assert section.reasons.text()
    assert z_um(rig) == pytest.approx(7.0, abs=0.05)
    assert not section.buttons.undo.isEnabled()


def test_an_unsure_model_may_be_helped_by_a_sweep(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None]
) -> None:
    model_of(session).answer = lambda *_: FocusEstimate("unsure", 2.0, 1.0, reasons=("Undecided.",))
    section.options.sweep_if_unsure.click()
    run()
    assert section.record.method == "one-shot, sweep"
    assert abs(rig.true_defocus_um()) < 0.5
    assert section.plot.z_um


def test_a_model_that_leads_astray_is_undone_by_the_routine(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None]
) -> None:
    truth = model_of(session).answer
    model_of(session).answer = lambda shape, defocus_um: truth(shape, -defocus_um)
    run()
    assert section.record.outcome == "reverted"
    assert section.message.text().startswith("Not focused, went back")
    assert z_um(rig) == pytest.approx(7.0, abs=0.05)


def test_other_optics_are_refused_until_the_user_insists(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None]
) -> None:
    refused: list[Exception] = []
    session.focus.refused.connect(refused.append)
    session.focus.state_objective(Objective.parse("40x/0.95"))
    run()
    assert section.message.tone == "error"
    assert "optics do not fit" in section.message.text()
    assert refused
    assert z_um(rig) == pytest.approx(7.0, abs=0.05)
    session.focus.set_insist(True)
    run()
    assert section.record.outcome == "focused"
    assert section.record.warnings


def test_a_camera_that_fails_is_told_and_the_drive_is_back(
    section: RefocusSection, prepare: Prepare, run: Callable[[], None]
) -> None:
    rig = prepare(faults=[Fault("snap-timeout", at=2)])
    run()
    assert section.record.outcome == "failed"
    assert section.message.tone == "error"
    assert "camera" in section.reasons.text()
    assert z_um(rig) == pytest.approx(7.0, abs=0.05)
    assert section.buttons.refocus.isEnabled()


def test_settings_that_make_no_sense_are_a_message(
    section: RefocusSection, session: Session, rig: SimulatedRig
) -> None:
    section.options.method_box.setCurrentIndex(section.options.method_box.findData("sweep"))
    section.options.sweeping.range_box.setValue(0.5)
    section.options.sweeping.step_box.setValue(5.0)
    section.buttons.refocus.click()
    assert "does not fit into a range" in section.message.text()
    assert not session.is_running


def test_an_all_in_focus_image_becomes_a_layer_that_stays(
    section: RefocusSection, session: Session, viewer: ViewerModel
) -> None:
    frame = Frame(np.zeros((32, 48, 3), np.uint8), 12.3, 0.0, 0.0, 10.0, 0.0, pixel_size_um=0.5)
    depth_um = np.full((32, 48), 12.0, np.float32)
    depth_um[:, :8], depth_um[:, 40:] = np.nan, 15.0
    composite = Composite(np.full((32, 48, 3), 7, np.uint8), depth_um, (10.0, 12.0, 16.0))
    section.runs._on_step(RefocusStep("composite", frame, 5, composite=composite))
    layer, depth = viewer.layers["All in focus, z 12.30 µm"], viewer.layers["Depth of focus, 12.00 µm to 15.00 µm"]
    assert layer.rgb
    assert tuple(layer.scale) == tuple(depth.scale) == (0.5, 0.5)
    np.testing.assert_array_equal(depth.data, depth_um)
    assert section.depth.legend.words == ("12.0", "15.0 µm")
    assert not section.depth.isHidden()
    assert session.view.frames_shown == 0


# propose, accept, discard


@pytest.fixture
def proposed(section: RefocusSection, session: Session, rig: SimulatedRig, qtbot: QtBot) -> RefocusSection:
    section.buttons.propose.click()
    qtbot.waitUntil(lambda: section.proposal is not None and not session.is_running)
    return section


def test_a_proposal_shows_the_way_and_moves_nothing(proposed: RefocusSection, rig: SimulatedRig) -> None:
    assert z_um(rig) == pytest.approx(7.0, abs=0.05)
    assert proposed.message.text().startswith("Would move −5.")
    assert proposed.buttons.accept.text().startswith("Accept −5.")
    assert proposed.buttons.propose.isHidden()


def test_accept_carries_the_proposal_out(
    proposed: RefocusSection, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    proposed.buttons.accept.click()
    qtbot.waitUntil(lambda: proposed.record is not None and not session.is_running)
    assert proposed.record.outcome == "focused"
    assert model_of(session).asked == 2  # the frame of the proposal counts as the first
    assert abs(rig.true_defocus_um()) < 0.3
    assert not proposed.buttons.propose.isHidden()


def test_discard_forgets_it(proposed: RefocusSection, rig: SimulatedRig) -> None:
    proposed.buttons.discard.click()
    assert proposed.proposal is None
    assert not proposed.buttons.accept.isVisibleTo(proposed)
    assert z_um(rig) == pytest.approx(7.0, abs=0.05)


def test_a_proposal_falls_when_the_drive_is_moved(
    proposed: RefocusSection, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    session.ask(lambda microscope: microscope.focus.move_to(9.0))
    qtbot.waitUntil(lambda: proposed.proposal is None)
    assert proposed.message.text() == "The drive was moved since; propose again."


def test_a_proposal_falls_with_the_model(proposed: RefocusSection, session: Session) -> None:
    session.focus.use_model(model_of(session))
    assert proposed.proposal is None


def test_nothing_to_propose_is_said(section: RefocusSection, session: Session, rig: SimulatedRig, qtbot: QtBot) -> None:
    model_of(session).answer = lambda shape, _: empty_estimate(shape)
    section.buttons.propose.click()
    qtbot.waitUntil(lambda: not session.is_running)
    assert section.message.text().startswith("No move to propose: No patch")
    assert not section.buttons.accept.isVisibleTo(section)


# which way the drive focuses


@pytest.fixture
def unknown(prepare: Prepare) -> SimulatedRig:
    """Its drive moves sample and objective apart, and does not say so; 8.5 µm out of focus."""
    return prepare(focus_direction=-1, tells_direction=False)


def test_an_unknown_direction_is_asked_for(section: RefocusSection, session: Session, unknown: SimulatedRig) -> None:
    section.buttons.refocus.click()
    assert not session.is_running
    assert section.direction.isVisibleTo(section)
    section.direction.cancel_button.click()
    assert not section.direction.isVisibleTo(section)
    assert z_um(unknown) == pytest.approx(7.0, abs=0.05)


@pytest.mark.parametrize(("answer", "outcome"), [("apart_button", "focused"), ("together_button", "reverted")])
def test_the_answer_is_used_and_a_wrong_one_does_no_harm(
    section: RefocusSection, session: Session, unknown: SimulatedRig, qtbot: QtBot, answer: str, outcome: str
) -> None:
    section.buttons.refocus.click()
    getattr(section.direction, answer).click()
    qtbot.waitUntil(lambda: section.record is not None and not session.is_running)
    assert section.record.outcome == outcome


def test_a_small_move_finds_it_out_and_it_is_not_asked_again(
    section: RefocusSection, session: Session, unknown: SimulatedRig, run: Callable[[], None], qtbot: QtBot
) -> None:
    section.buttons.refocus.click()
    section.direction.probe_button.click()
    qtbot.waitUntil(lambda: section.record is not None and not session.is_running)
    assert section.record.outcome == "focused"
    assert session.focus.focus_direction == -1
    run()
    assert section.record.outcome == "already_in_focus"


def test_a_proposal_never_moves_to_find_it_out(section: RefocusSection, unknown: SimulatedRig) -> None:
    section.buttons.propose.click()
    assert section.direction.isVisibleTo(section)
    assert not section.direction.probe_button.isVisibleTo(section)


def test_what_was_said_of_one_drive_does_not_hold_for_the_next(session: Session, prepare: Prepare) -> None:
    prepare(tells_direction=False)
    session.focus.state_direction(1)
    prepare(tells_direction=False)
    assert session.focus.focus_direction == 0


# undo and stop


def test_undo_goes_back_run_by_run(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None], qtbot: QtBot
) -> None:
    run()
    rig.microscope.focus.move_to(4.0)
    run()
    for expected in (4.0, 7.0):
        section.buttons.undo.click()
        qtbot.waitUntil(lambda: not session.is_running)
        assert z_um(rig) == pytest.approx(expected, abs=0.05)
        assert section.message.text() == f"Undone: the drive is back at {expected:.2f} µm."
    assert not section.buttons.undo.isEnabled()


def test_undo_is_for_one_field(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None], qtbot: QtBot
) -> None:
    run()
    session.ask(lambda microscope: microscope.move_xy_to(300.0, 0.0))
    session.snap()
    qtbot.waitUntil(lambda: not section.buttons.undo.isEnabled())
    assert "nothing to undo" in section.message.text()


def test_undo_looks_where_the_slide_is(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None], qtbot: QtBot
) -> None:
    run()
    focused_um = z_um(rig)
    rig.microscope.move_xy_to(300.0, 0.0)  # and no frame has been shown since
    section.buttons.undo.click()
    qtbot.waitUntil(lambda: not session.is_running)
    assert "another field" in section.message.text()
    assert z_um(rig) == pytest.approx(focused_um, abs=0.05)
    assert not section.buttons.undo.isEnabled()


def test_undo_ends_with_the_connection(
    section: RefocusSection, session: Session, rig: SimulatedRig, run: Callable[[], None]
) -> None:
    run()
    session.disconnect()
    assert not section.buttons.undo.isEnabled()


def test_stop_goes_back_to_the_start(
    section: RefocusSection, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    section.options.method_box.setCurrentIndex(section.options.method_box.findData("sweep"))
    section.options.sweeping.method_box.setCurrentIndex(section.options.sweeping.method_box.findData("uniform"))
    section.options.sweeping.step_box.setValue(0.05)
    section.buttons.refocus.click()
    qtbot.waitUntil(lambda: len(section.plot.z_um) > 4)
    assert section.buttons.stop.isEnabled()
    section.buttons.stop.click()
    qtbot.waitUntil(lambda: section.record is not None and not session.is_running)
    assert section.record.outcome == "cancelled"
    assert section.message.text().startswith("Stopped: the drive stands at 7.0")
    assert z_um(rig) == pytest.approx(7.0, abs=0.05)
    assert not section.buttons.stop.isEnabled()
    assert section.buttons.refocus.isEnabled()


def test_a_run_stopped_before_it_began_is_no_riddle(
    section: RefocusSection, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    release = []
    session.hardware.call(lambda: _wait_for(release))
    section.buttons.refocus.click()
    section.buttons.stop.click()
    release.append(True)
    qtbot.waitUntil(lambda: not session.is_running)
    assert section.message.text() == "Stopped; nothing has moved."
    assert section.record is None


def _wait_for(release: list[bool]) -> None:
    import time

    while not release:
        time.sleep(0.001)


# the look


def test_options_of_a_method_are_shown_with_it(section: RefocusSection) -> None:
    options = section.options
    assert options.sweep_if_unsure.isVisibleTo(section)
    assert not options.sweeping.isVisibleTo(section)
    assert not options.uneven_box.isVisibleTo(section)
    options.more_button.click()
    assert options.uneven_box.isVisibleTo(section)
    options.method_box.setCurrentIndex(options.method_box.findData("sweep"))
    assert options.sweeping.isVisibleTo(section)
    assert not options.uneven_box.isVisibleTo(section)


def test_options_reach_the_routine(section: RefocusSection, session: Session, rig: SimulatedRig) -> None:
    options = section.options
    options.uneven_box.setCurrentIndex(options.uneven_box.findData("composite"))
    options.neighbours_box.click()
    region = np.ones((8, 8), bool)
    session.focus.set_region(region)
    config = options.config(probe=False)
    assert (config.uneven, config.neighbours, config.probe_um, config.sweep) == ("composite", 4, 0.0, None)
    assert config.region is region
    assert config.optics.objective is session.focus.objective


def test_the_step_of_a_sweep_is_the_depth_of_field_at_first(
    section: RefocusSection, session: Session, make_rig: Callable[..., SimulatedRig]
) -> None:
    rig = make_rig()
    session.connect(Connection("rig", rig.microscope, rig.close, dof_um=2.5))
    assert section.options.sweeping.step_box.value() == 2.5
