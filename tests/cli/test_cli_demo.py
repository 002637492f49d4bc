from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from napari_autofocus.cli import app
from napari_autofocus.cli import demo as command
from napari_autofocus.widgets import demo as window
from napari_autofocus.widgets.connecting import SimulatedChoice
from napari_autofocus.widgets.show import refocus_film, tour
from napari_autofocus.widgets.show.report import Stage, TourReport


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

    def take(choice: SimulatedChoice, out: Path, **_: object) -> TourReport:
        chosen.append(choice)
        return TourReport({}, defocus_before_um=7.0, defocus_after_um=0.1, focused=focused)

    monkeypatch.setenv(command._INSIDE, "1")
    monkeypatch.setattr(tour, "run_tour", take)
    result = run("--out", str(tmp_path / "tour"), "--stain", "ihc", "--seed", "5", "--json")
    assert result.exit_code == code
    report = json.loads((tmp_path / "tour" / "report.json").read_text())
    assert report == json.loads(result.stdout)
    assert report["defocus_after_um"] == 0.1
    assert report["dof_um"] is None
    assert chosen == [SimulatedChoice("ihc", "sparse", seed=5, shape=window.SHAPE_PX)]


def test_a_film_takes_the_place_of_the_tour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    filmed: list[Path] = []
    monkeypatch.setenv(command._INSIDE, "1")
    monkeypatch.setattr(refocus_film, "film_refocus", lambda choice, path, seconds: filmed.append(path))
    monkeypatch.setattr(tour, "run_tour", lambda *_, **__: pytest.fail("no tour was to be taken"))
    film = tmp_path / "films" / "refocus.gif"
    assert run("--gif", str(film)).exit_code == 0
    assert filmed == [film]
    assert film.parent.is_dir()


def test_on_a_screen_the_window_opens(no_screen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[SimulatedChoice, float]] = []
    monkeypatch.setattr(window, "open_demo", lambda choice, seconds: opened.append((choice, seconds)))
    assert run("--screen", "--seconds", "2").exit_code == 0
    assert opened == [(SimulatedChoice(density="sparse", shape=window.SHAPE_PX), 2.0)]


def test_a_film_is_made_on_a_screen_in_memory_even_where_there_is_another(
    no_screen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("subprocess.call", lambda line, env: 0)
    monkeypatch.setattr(window, "open_demo", lambda *_, **__: pytest.fail("no window was to open"))
    assert run("--gif", "film.gif").exit_code == 0


def made_stage(name: str, outcome: str, after_um: float) -> Stage:
    return Stage(name, outcome, "", 7.0, after_um, 1.0)


@pytest.mark.parametrize(
    ("outcome", "after_um", "in_focus"),
    [
        ("focused", 0.4, True),
        ("already_in_focus", -0.4, True),
        ("held", 0.1, True),
        ("focused", -0.6, False),
        ("reverted", 0.1, False),
        ("refused", 0.0, False),
    ],
)
def test_a_stage_is_in_focus_if_it_says_so_and_the_truth_agrees(outcome: str, after_um: float, in_focus: bool) -> None:
    report = TourReport({}, dof_um=1.0, stages=[made_stage("refocus", outcome, after_um)])
    assert report.in_focus(report.stage("refocus")) is in_focus


def test_a_demo_that_runs_for_days_gives_memory_back_before_it_opens(
    no_screen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr(command, "give_freed_memory_back", lambda: order.append("memory"))
    monkeypatch.setattr(window, "open_demo", lambda *_, **__: order.append("window"))
    assert run().exit_code == 0
    assert order == ["memory", "window"]


def test_a_stage_that_was_never_reached_is_not_in_focus() -> None:
    assert not TourReport({}, dof_um=1.0).in_focus(TourReport({}).stage("hold"))
