"""The shell's own promises: quick help, one sentence for a refusal, one JSON object and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable, Generator

import pytest
from typer.testing import CliRunner

from napari_autofocus import __version__
from napari_autofocus.cli import COMMANDS, app
from napari_autofocus.cli.parts.output import print_json, reserved_stdout
from napari_autofocus.cli.parts.progress import progress_bar
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

FakeCommand = Callable[[Callable[..., None]], None]


@pytest.fixture
def fake_label(monkeypatch: pytest.MonkeyPatch) -> FakeCommand:
    """Replace what ``label`` runs, as a module that loads when the command does."""

    def install(function: Callable[..., None]) -> None:
        module = types.ModuleType("napari_autofocus.cli.label")
        module.label = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "napari_autofocus.cli.label", module)

    return install


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(name in result.stdout for name in COMMANDS)


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from napari_autofocus.cli import app;"
        "CliRunner().invoke(app, ['--help']); CliRunner().invoke(app, ['label', '--help']);"
        "print([m for m in ('numpy', 'torch', 'napari', 'qtpy', 'pymmcore_plus', 'matplotlib') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.strip() == __version__


def test_a_misspelt_command_gets_a_suggestion() -> None:
    result = CliRunner().invoke(app, ["labl"])
    assert result.exit_code == 2
    assert "label" in result.stderr


def test_a_refusal_is_one_sentence_and_exit_code_2(fake_label: FakeCommand) -> None:
    def refuse() -> None:
        raise InputError("The folder is empty; name another.")

    fake_label(refuse)
    result = CliRunner().invoke(app, ["label"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: The folder is empty; name another.\n"


def test_a_refusal_is_told_in_json_where_json_was_asked_for(fake_label: FakeCommand) -> None:
    def refuse(json: bool = False) -> None:
        raise InputError("Bad.")

    fake_label(refuse)
    result = CliRunner().invoke(app, ["label", "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {"error": "Bad."}


def test_interrupting_ends_with_a_word_and_no_traceback(fake_label: FakeCommand) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    fake_label(interrupt)
    result = CliRunner().invoke(app, ["label"])
    assert (result.exit_code, result.stderr) == (130, "Stopped.\n")


def test_json_stands_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with reserved_stdout():
        print("a library that talks")
        print_json({"z_um": [1.0, float("nan")], "ok": True})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"z_um": [1.0, None], "ok": True}
    assert captured.err == "a library that talks\n"


def test_interrupted_work_tidies_up() -> None:
    tidied = []

    def work() -> Generator[int, None, str]:
        try:
            yield 1
            return "done"
        finally:
            tidied.append(True)

    def interrupt(step: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_to_end(work(), interrupt)
    assert tidied == [True]
    assert run_to_end(work(), lambda step: None) == "done"


def test_progress_is_silent_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("working") as advance:
        advance(1, 2, "half")
    assert capsys.readouterr() == ("", "")
