from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.cores import load_core, release_core
from napari_autofocus.microscope.mmcore import CoreMicroscope

pytest.importorskip("mm_test_adapters")


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
