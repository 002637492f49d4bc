"""Scanning the slide from the Virtual refocus panel: what is asked, what moves, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from delete_now import delete_now
from fake_refocuser import OBJECTIVE, FakeRefocuser
from napari_autofocus.errors import InputError
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.acquire_places import Area
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.scan_wish import ScanWish
from napari_autofocus.widgets.virtual.scanning import ScanSection
from napari_autofocus.widgets.virtual.words import NOT_CONNECTED

WAIT_MS = 120_000


@pytest.fixture
def section(session: Session, tmp_path: Path) -> Iterator[ScanSection]:
    """Asks for two tiles and the shots only; there is no model."""
    made = ScanSection(session, "dark", lambda: (None, False))
    made.choose(tmp_path / "slides" / "one")
    made.columns_box.setValue(2)
    made.rows_box.setValue(1)
    made.range_box.setValue(5)
    yield made
    delete_now(made)


@pytest.fixture
def idle(session: Session, qtbot: QtBot) -> Callable[[], None]:
    return lambda: qtbot.waitUntil(lambda: not session.is_running and not session.hardware.busy, timeout=WAIT_MS)


def wish(area: Area | None = None) -> ScanWish:
    return ScanWish(3, 2, area, 1.5, Path("slide.zarr"), OBJECTIVE, 0, None)


def test_without_a_microscope_it_says_so(section: ScanSection) -> None:
    assert section.plan_line.text() == NOT_CONNECTED
    assert not section.start_button.isEnabled()


def test_without_a_model_only_the_shots_can_be_taken(
    section: ScanSection, connected: tuple[Session, SimulatedRig]
) -> None:
    session, _ = connected
    assert section.plan_line.text().startswith("2 tiles around where the stage stands: a sweep finds")
    section.start_button.click()
    assert section.message.text() == "Choose a model above, or take the shots only (Recover it off)."
    assert not session.is_running


def test_both_shots_of_every_tile_are_taken_and_everything_is_back(
    section: ScanSection, connected: tuple[Session, SimulatedRig], idle: Callable[[], None], tmp_path: Path
) -> None:
    session, rig = connected
    session.focus.state_objective(OBJECTIVE)
    section.recover_box.setChecked(False)
    section.start_button.click()
    assert section.stop_button.isEnabled()
    idle()
    assert section.message.text().startswith(f"Written to {tmp_path / 'slides' / 'one.zarr'}: 2 tiles, ")
    assert {"a", "b"} <= {path.name for path in (tmp_path / "slides" / "one.zarr").iterdir()}
    assert rig.microscope.xy_um() == pytest.approx((0.0, 0.0), abs=1)
    assert rig.microscope.focus.position_um() == pytest.approx(0.0, abs=0.1)
    assert section.start_button.isEnabled()
    assert not section.stop_button.isEnabled()


def test_stopping_brings_everything_back_and_scan_goes_on(
    section: ScanSection, connected: tuple[Session, SimulatedRig], idle: Callable[[], None]
) -> None:
    session, rig = connected
    session.focus.state_objective(OBJECTIVE)
    section.recover_box.setChecked(False)
    stops = iter([True])
    session.view.shown.connect(lambda _: section.stop_button.click() if next(stops, False) else None)
    section.start_button.click()
    idle()
    assert section.message.text().startswith("Stopped; Scan goes on where it ended.")
    assert rig.microscope.focus.position_um() == pytest.approx(0.0, abs=0.1)
    section.start_button.click()
    idle()
    assert section.message.text().startswith("Written to")


def test_a_plan_lies_around_the_stage_or_over_the_drawn_area(connected: tuple[Session, SimulatedRig]) -> None:
    _, rig = connected
    plan = wish().plan(rig.microscope)
    assert (len(plan.tiles), plan.config.dz_um, plan.pixel_size_um) == (6, 3.0, pytest.approx(0.325))
    assert sum(x for x, _ in plan.tiles) == pytest.approx(0.0, abs=1e-6)
    drawn = wish(Area.around((500.0, 300.0), 60.0, 40.0)).plan(rig.microscope)
    assert len(drawn.tiles) > 4
    assert all(abs(x - 500) <= 30 and abs(y - 300) <= 20 for x, y in drawn.tiles)


def test_a_drawn_area_must_be_there(section: ScanSection, viewer: ViewerModel) -> None:
    section.recover_box.setChecked(False)
    section.kind_box.setCurrentIndex(1)
    with pytest.raises(InputError, match="No area is drawn"):
        section.wish()


def test_the_model_of_the_panel_recovers(session: Session) -> None:
    refocuser = FakeRefocuser()
    section = ScanSection(session, "dark", lambda: (refocuser, True))
    asked = section.wish()
    delete_now(section)
    assert (asked.refocuser, asked.insist) == (refocuser, True)
