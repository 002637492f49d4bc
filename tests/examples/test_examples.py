"""The scripts in ``examples/`` run as they stand, each in a process of its own, and what they print is right."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DEMO = "MMConfig_demo.cfg"
# The widgets of pymmcore-widgets fetch their icons from the internet: here each try fails at once.
NO_ICONS = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
ATTEMPTS = 6


def run(script: str, *arguments: str, code: int = 0, attempts: int = 1) -> str:
    """What an example says; it is tried again where Qt itself has died."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "examples" / script), *arguments]
    environment = {**os.environ, **NO_ICONS, "PYTHONIOENCODING": "utf-8"}
    for _ in range(attempts):
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=280)
        if ran.returncode != -signal.SIGSEGV:
            break
    assert ran.returncode == code, ran.stdout[-2000:] + ran.stderr[-4000:]
    return ran.stdout if code == 0 else ran.stderr


def numbers(pattern: str, said: str) -> list[float]:
    """Every number that a pattern with one group finds."""
    return [float(found) for found in re.findall(pattern, said)]


@pytest.fixture
def beads(tmp_path: Path) -> Path:
    """Micro-Manager's demo devices, 3 µm from focus, with pixels as the models of 20x/0.75 have them."""
    libs = Path(pytest.importorskip("mm_test_adapters").__file__).parent / "libs"
    text = re.sub(r"^PixelSize_um,Res10x,.*$", "PixelSize_um,Res10x,0.325", (libs / DEMO).read_text(), flags=re.M)
    text += "\nConfigGroup,System,Startup,Camera,Mode,Fluorescent Beads\nConfigGroup,System,Startup,Z,Position,3\n"
    written = tmp_path / "beads.cfg"
    written.write_text(text)
    return written


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short_and_told_of(example: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 80
    assert f"examples/{example.name}" in (ROOT / "docs" / "interplay.md").read_text(encoding="utf-8")


def test_a_plain_script_refocuses_the_simulated_slide() -> None:
    said = run("plain_script.py")
    assert "outcome: focused, 2 frames, 1 moves, by one-shot\n" in said
    assert abs(numbers(r"true defocus now: (\S+) µm", said)[0]) < 0.3


def test_a_plain_script_focuses_a_configuration_by_the_sweep_that_helps(beads: Path) -> None:
    """The beads of the demo camera blur alike to both sides, which no model can take for the truth."""
    said = run("plain_script.py", str(beads), "--model", "fluorescence-20x", "--limits-um", "-20", "20")
    assert "outcome: focused" in said
    assert "by one-shot, sweep" in said
    assert abs(numbers(r"drive: 3\.00 -> (\S+) µm", said)[0]) < 0.3


def test_a_plain_script_tells_in_a_sentence_that_the_optics_are_others() -> None:
    pytest.importorskip("mm_test_adapters")
    said = run("plain_script.py", DEMO, code=1)
    assert said.startswith("Error: The model brightfield-20x refuses this frame.")


def test_a_useq_sequence_is_focused_and_every_frame_says_how(tmp_path: Path) -> None:
    said = run("useq_sequence.py", "--out", str(tmp_path / "run"))
    assert said.startswith("12 frames acquired; focused 2 of 2 times.")
    truth = numbers(r"true focus at x = \d+ µm: (\S+) µm", said)
    assert numbers(r"used (\S+) µm", said) == pytest.approx(truth, abs=0.3)
    heights = numbers(r": z (\S+) µm", said)
    assert heights == pytest.approx([focus + dz for focus in truth for dz in (-2, 0, 2) * 2], abs=0.3)
    assert said.count("by brightfield-20x, focused") == 12
    assert {path.name for path in (tmp_path / "run").glob("*.zarr")} == {"p000.zarr", "p001.zarr"}


@pytest.mark.gui
def test_the_mda_widget_acquires_in_focus(tmp_path: Path) -> None:
    pytest.importorskip("mm_test_adapters")
    pytest.importorskip("pymmcore_widgets")
    said = run("mda_widget.py", "--run", "--picture", str(tmp_path / "widget.png"))
    assert said.startswith("6 frames acquired; focused 2 of 2 times.")
    assert numbers(r"used (\S+) µm", said) == pytest.approx([0.0, 0.0], abs=0.4)
    assert said.endswith("engine put back: MDAEngine\n")
    assert (tmp_path / "widget.png").stat().st_size > 5_000


@pytest.mark.gui
@pytest.mark.timeout(1800)
def test_the_core_of_napari_micromanager_is_focused_and_stays_theirs() -> None:
    pytest.importorskip("mm_test_adapters")
    pytest.importorskip("napari_micromanager")
    said = run("beside_napari_micromanager.py", "--run", attempts=ATTEMPTS)
    assert "one core: True" in said
    assert "outcome: focused" in said
    assert abs(numbers(r"3\.40 -> (\S+) µm", said)[0]) < 0.4
    assert "still theirs: camera Camera, stage Z" in said


@pytest.mark.timeout(600)
def test_bioimageio_core_runs_a_model_of_ours_to_the_same_answer() -> None:
    pytest.importorskip("bioimageio.core")
    said = run("bioimageio_core.py")
    for name, kind in (("brightfield-20x", "one-shot"), ("two-shot-20x", "two-shot"), ("tsva-20x", "virtual")):
        assert f"{name}: bioimageio.core says passed; exported there and opened here: {kind}\n" in said
    assert numbers(r"defocus (\S+) µm there", said) == pytest.approx([4.0], abs=0.3)
    assert numbers(r"largest difference: (\S+)", said)[0] <= 1e-4


@pytest.mark.timeout(600)
def test_other_tools_read_the_same_from_what_we_write() -> None:
    pytest.importorskip("ome_zarr")
    pytest.importorskip("ome_zarr_models")
    said = run("ome_zarr_elsewhere.py")
    stack, slide, tiff = re.split(r"^(?:field_0000\.zarr|recovered|he_dense_0000\.ome\.tif)\n", said, flags=re.M)[1:]
    for image, readers in ((stack, 4), (slide, 4), (tiff, 2)):
        means = numbers(r"mean ([\d.]+)", image)
        assert len(means) == readers
        assert means == pytest.approx([means[0]] * readers, abs=2e-3)
        assert set(numbers(r"\b[yx] ([\d.]+)", image)) == {0.325}
    assert set(numbers(r"\bz ([\d.]+)", stack) + numbers(r"\bz ([\d.]+)", tiff)) == {1.0}
    assert "\n  ome-zarr-models: a valid Image, version 0.5\n" in stack
    assert "\n  ome-zarr-models: a valid Image, version 0.5\n" in slide
