from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pymmcore_plus import CMMCorePlus
from pymmcore_plus.core import _mmcore_plus

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.cores import load_core, release_core, shared_core
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import SimulatedRig

pytest.importorskip("mm_test_adapters")


@pytest.fixture
def no_core_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process in which nobody has made a core yet. Also guards the private name that is read."""
    monkeypatch.setattr(_mmcore_plus, "_instance", None)


@pytest.mark.usefixtures("no_core_claimed")
def test_asking_for_a_running_core_makes_none() -> None:
    assert shared_core() is None
    assert _mmcore_plus._instance is None


@pytest.mark.usefixtures("no_core_claimed")
def test_the_core_that_others_share_is_found_once_it_has_devices() -> None:
    theirs = CMMCorePlus.instance()
    assert shared_core() is None
    theirs.loadSystemConfiguration("MMConfig_demo.cfg")
    assert shared_core() is theirs
    release_core(theirs)
    assert shared_core() is None


@pytest.mark.usefixtures("no_core_claimed")
def test_a_core_that_a_panel_offers_is_found_though_nobody_shares_it() -> None:
    with_devices, without = load_core("MMConfig_demo.cfg"), CMMCorePlus()
    assert shared_core([None, "a panel", without, with_devices]) is with_devices
    release_core(with_devices)


@pytest.mark.usefixtures("no_core_claimed")
def test_our_own_cores_are_never_taken_for_the_one_that_others_share(make_rig: Callable[..., SimulatedRig]) -> None:
    simulated, loaded = make_rig().core, load_core("MMConfig_demo.cfg")
    assert shared_core() is None
    theirs = CMMCorePlus.instance()
    assert theirs not in (simulated, loaded)
    release_core(loaded)


def test_the_demo_configuration_is_found_beside_the_adapters() -> None:
    core = load_core("MMConfig_demo.cfg")
    assert core.getCameraDevice() == "Camera"
    release_core(core)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no configuration file .*nowhere\.cfg; give the path"):
        load_core(tmp_path / "nowhere.cfg")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Device,Cam,NoSuchAdapter,DCam", r"Line 1: Device,Cam,NoSuchAdapter,DCam .*mmcore install"),
        ("Device,Cam,DemoCamera,NoCam", r'DemoCamera" failed to instantiate device "NoCam"'),
    ],
)
def test_a_device_that_is_missing_is_told_with_its_line(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "broken.cfg"
    path.write_text(f"{line}\nProperty,Core,Initialize,1\n")
    with pytest.raises(InputError, match=words) as caught:
        load_core(path)
    assert "\n" not in str(caught.value)


def test_a_configuration_without_a_camera_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.cfg"
    path.write_text("Property,Core,Initialize,1\n")
    with pytest.raises(InputError, match="has no camera"):
        CoreMicroscope.connect(path)


def test_a_process_that_forgets_to_close_ends_cleanly() -> None:
    code = (
        "from napari_autofocus.microscope.mmcore import CoreMicroscope\n"
        "m = CoreMicroscope.connect('MMConfig_demo.cfg')\n"
        "m.core.setExposure(2); m.snap(); m.focus.move_to(3.0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_beside_qt_what_an_acquisition_tells_arrives_in_the_thread_of_the_widgets() -> None:
    """Also where the core was made in a thread that has ended; our own books are told at once all the same."""
    code = """
import threading, useq
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget
app = QApplication([])
from napari_autofocus.microscope.cores import load_core, release_core
from napari_autofocus.microscope.ownership import Ownership
from napari_autofocus.microscope.simulated import simulated_rig
from rigs import TextureScene

def elsewhere(work):
    made = []
    thread = threading.Thread(target=lambda: made.append(work()))
    thread.start()
    thread.join()
    return made[0]

class Panel(QWidget):
    def __init__(self):
        super().__init__()
        self.told_in = []
    def on_started(self, *_):
        self.told_in.append(threading.current_thread())

rig = elsewhere(lambda: simulated_rig(TextureScene(), exposure_ms=1.0))
for core in (rig.core, elsewhere(lambda: load_core("MMConfig_demo.cfg"))):
    panel, frames_in, owners = Panel(), [], []
    core.mda.events.sequenceStarted.connect(panel.on_started)
    core.mda.events.frameReady.connect(lambda *_: frames_in.append(threading.current_thread()))
    exec_event = core.mda.engine.exec_event
    ownership = Ownership.of(core)
    def take(event):
        owners.append(ownership.owner)
        return exec_event(event)
    core.mda.engine.exec_event = take
    elsewhere(lambda: core.mda.run(useq.MDASequence(stage_positions=[(0, 0)])))
    assert owners and all(owners) and ownership.owner is None, owners
    QTest.qWait(100)
    here = threading.main_thread()
    assert panel.told_in == [here] and frames_in == [here], (core, panel.told_in, frames_in)
release_core(core)
rig.close()
"""
    tests = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tests, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
