"""The MDA widget of pymmcore-widgets runs on an armed core, with an autofocus plan of its own and without."""

from __future__ import annotations

import threading

import pytest
from napari.components import ViewerModel
from pymmcore_plus import CMMCorePlus
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QMessageBox
from useq import AxesBasedAF, MDASequence

from mda_finders import scripted_finder
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.mda_focus import MdaFocusPanel
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.workflows.mda import MdaFocusConfig

pymmcore_widgets = pytest.importorskip("pymmcore_widgets")


@pytest.fixture(autouse=True)
def no_icons_from_the_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widget would fetch its icons at run time, and goes without where it cannot."""

    def offline(*_: object, **__: object) -> None:
        raise OSError("no icons in tests")

    monkeypatch.setattr("superqt.iconify.svg_path", offline)


@pytest.fixture(autouse=True)
def run_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widget asks whether to run with an autofocus plan while no autofocus device is locked."""
    monkeypatch.setattr(QMessageBox, "warning", lambda *_: QMessageBox.StandardButton.Ok)


@pytest.mark.filterwarnings("ignore:Error fetching icon")
@pytest.mark.parametrize("has_plan", [True, False])
def test_the_mda_widget_acquires_with_autofocus(
    session: Session,
    viewer: ViewerModel,
    demo_core: CMMCorePlus,
    qtbot: QtBot,
    has_plan: bool,
) -> None:
    microscope = CoreMicroscope(demo_core, focus_direction=1, limits_um=(-60, 60), backlash_um=0)
    session.connect(Connection("demo", microscope, microscope.close, dof_um=1.0))
    panel = MdaFocusPanel(viewer)
    widget = pymmcore_widgets.MDAWidget(mmcore=demo_core)
    for made in (panel, widget):
        qtbot.addWidget(made)
    plan = MDASequence(
        stage_positions=[(0, 0, 10), (100, 0, 10)],
        z_plan={"range": 4, "step": 2},
        channels=["DAPI"],
        autofocus_plan=AxesBasedAF(axes=("p",)) if has_plan else None,
    )
    widget.setValue(plan)
    panel.arming.arm(scripted_finder(lambda _: 3.0), MdaFocusConfig(axes=() if has_plan else ("p",)), None)
    heights: list[float] = []
    demo_core.mda.events.frameReady.connect(lambda image, event, metadata: heights.append(event.z_pos))

    with qtbot.waitSignal(panel.arming.ended, timeout=30_000):
        widget.run_mda()
    qtbot.waitUntil(lambda: not session.is_running, timeout=30_000)

    assert panel.record is not None
    assert len(panel.record.events) == 2
    assert heights[:3] == pytest.approx([11.0, 13.0, 15.0])
    panel.arming.disarm()
    assert type(demo_core.mda.engine).__name__ == "MDAEngine"


@pytest.mark.filterwarnings("ignore:Error fetching icon")
def test_the_mda_widget_on_a_core_of_ours_is_changed_in_its_own_thread(rig: SimulatedRig, qtbot: QtBot) -> None:
    """Qt aborts where an acquisition's thread does it."""
    changed_in: list[threading.Thread] = []

    class Watched(pymmcore_widgets.MDAWidget):  # type: ignore[misc]
        def _enable_widgets(self, enable: bool) -> None:
            changed_in.append(threading.current_thread())
            super()._enable_widgets(enable)

    widget = Watched(mmcore=rig.core)
    qtbot.addWidget(widget)
    widget.setValue(MDASequence(stage_positions=[(0, 0, 1)]))
    widget.run_mda()
    qtbot.waitUntil(lambda: len(changed_in) == 2, timeout=30_000)
    assert changed_in == [threading.main_thread()] * 2
