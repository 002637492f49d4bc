from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from napari_autofocus.cli import app
from napari_autofocus.cli import demo as command
from napari_autofocus.widgets import tour
from napari_autofocus.widgets.connecting import SimulatedChoice


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", command._INSIDE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["demo", *arguments])


def test_a_screen_is_told_by_its_variables(no_screen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not command.has_screen()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert command.has_screen()


def test_without_screen_and_xvfb_one_sentence_says_what_to_install(
    no_screen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    result = run()
    assert result.exit_code == 2
    assert "sudo apt-get install xvfb xauth" in result.stderr


def test_without_screen_it_starts_itself_again_on_one_in_memory(
    no_screen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("subprocess.call", lambda line, env: calls.append((line, env)) or 1)
    monkeypatch.setattr("sys.argv", ["napari-autofocus", "demo", "--seed", "3"])
    assert run("--seed", "3").exit_code == 1
    ((line, environment),) = calls
    assert line[:4] == ["/usr/bin/xvfb-run", "-a", "-s", command.SCREEN]
    assert line[-3:] == ["demo", "--seed", "3"]
    assert environment[command._INSIDE] == "1"


@pytest.mark.parametrize(("focused", "code"), [(True, 0), (False, command.NOT_FOCUSED)])
def test_the_tour_leaves_a_report_and_says_whether_it_focused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, focused: bool, code: int
) -> None:
    chosen: list[SimulatedChoice] = []

    def take(choice: SimulatedChoice, out: Path, **_: object) -> tour.TourReport:
        chosen.append(choice)
        return tour.TourReport({"python": "3"}, {}, defocus_before_um=7.0, defocus_after_um=0.1, focused=focused)

    monkeypatch.setenv(command._INSIDE, "1")
    monkeypatch.setattr(tour, "run_tour", take)
    result = run("--out", str(tmp_path / "tour"), "--stain", "ihc", "--seed", "5", "--json")
    assert result.exit_code == code
    report = json.loads((tmp_path / "tour" / "report.json").read_text())
    assert report == json.loads(result.stdout)
    assert report["defocus_after_um"] == 0.1
    assert report["dof_um"] is None
    assert (chosen[0].stain, chosen[0].seed) == ("ihc", 5)


def test_on_a_screen_the_window_opens(no_screen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[SimulatedChoice, float]] = []
    monkeypatch.setattr(tour, "open_demo", lambda choice, seconds: opened.append((choice, seconds)))
    assert run("--screen", "--seconds", "2").exit_code == 0
    assert opened == [(SimulatedChoice(), 2.0)]
