"""Every command in README and docs runs as it stands, at a reduced size; what cannot run is at least understood."""

from __future__ import annotations

import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from documented import PROGRAM, commands, shell_lines
from napari_autofocus.cli import COMMANDS, app, load_command

UNDERSTOOD = {
    "demo": "opens napari; tests/cli/test_cli_demo.py",
    "calibrate": "minutes of teaching; tests/cli/test_calibrate_command.py, tests/test_notebook.py",
    "train": "minutes of teaching; tests/cli/test_train.py",
    "tune": "minutes of teaching; tests/cli/test_tune_command.py",
    ".* --scheduler": "needs a cluster; tests/workflows/test_batch.py",
    "refocus --microscope .*cfg": "the demo camera shows no stained slide; tests/cli/test_cli_refocus.py",
    "survey --microscope .*cfg": "the demo camera shows no stained slide; tests/cli/test_survey_command.py",
    "acquire --microscope .* --focus": "the demo camera shows no stained slide; tests/cli/test_cli_acquire.py",
    "calibrate-lens --microscope .*cfg": "the demo devices have no lens; tests/cli/test_calibrate_lens_command.py",
    "survey --points 16x16": "the same as with fewer points",
    "evaluate refocuser.zip": "asks hundreds of pairs; tests/cli/test_refocuser_commands.py",
}
"""Beginnings of commands that are parsed and not run, and why; what runs them all the same."""

SMALLER = {
    "acquire": {"--positions": "random:1", "--range-um": "3", "--shape": "256x320"},
    "calibrate-lens": {"--step": "80", "--shape": "96x128"},
    "evaluate": {"--fields": "1", "--draws": "1"},
    "mda": {"--shape": "256x320"},
    "refocus": {"--runs": "1", "--shape": "256x320"},
    "simulate": {"--fields": "1", "--shape": "96x128"},
    "survey": {"--points": "2x2", "--area-mm": "1x1", "--shape": "256x320"},
    "sweep": {"--runs": "1", "--shape": "128x160"},
    "virtual-scan": {"--area": "2x1", "--shape": "128x160"},
}
"""What is said instead of what stands there, or besides."""

ONLY_IF_SAID = ("--positions", "--points", "--area-mm", "--range-um", "--step", "--area")
OUTPUTS = ("--out", "-o", "--plot", "--report", "--depth", "--record", "--work")
OTHER_PROGRAMS = {
    "make": "the project's own checks",
    "python": "installing, or a benchmark",
    ".venv/bin/pip": "installing",
    "pip": "installing",
    ".venv/bin/napari-autofocus": "the demo",
    ".venv/bin/ruff": "the project's own checks",
    "dask": "a cluster",
    "torchrun": "several GPUs",
    "xvfb-run": "a benchmark of minutes",
    "MALLOC_ARENA_MAX=2": "napari itself, for days",
}
LINES = commands()


def reason_not_to_run(line: str) -> str:
    """Why a command is only parsed; empty where it runs."""
    said = line.removeprefix(f"{PROGRAM} ")
    return next((why for pattern, why in UNDERSTOOD.items() if re.match(rf"{pattern}(?= |$)", said)), "")


def smaller(line: str) -> list[str]:
    """The words of a command for a test: small, and with a yes where a real microscope asks for one."""
    _, name, *words = shlex.split(line)
    real = any(word.endswith(".cfg") for word in words)
    for option, value in SMALLER.get(name, {}).items():
        if option in words:
            words[words.index(option) + 1] = value
        elif option not in ONLY_IF_SAID and not real and not (name == "evaluate" and "--simulated" not in words):
            words += [option, value]
    if "--limits-um" in words:
        at = words.index("--limits-um")
        words[at + 1 : at + 3] = ["-50", "50"]
    return [name, *words, *(["--yes"] if real else [])]


def bring(pantry: Path, words: list[str], kitchen: Path) -> None:
    """Put the files that a command reads where it runs."""
    read = {word for before, word in pairwise(["", *words]) if before not in OUTPUTS}
    for name in {word.split("/")[0] for word in read} & {path.name for path in pantry.iterdir()}:
        source = pantry / name
        if source.is_symlink() or source.is_file():
            (kitchen / name).symlink_to(source)
        else:
            shutil.copytree(source, kitchen / name)


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_understood(line: str) -> None:
    _, name, *words = shlex.split(line)

    load_command(name).make_context(name, words)


@pytest.mark.parametrize("line", [line for line in LINES if not reason_not_to_run(line)])
def test_every_command_runs(line: str, pantry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = smaller(line)
    if line.startswith(f"{PROGRAM} estimate stacks/"):
        words[1] = "my_stack.ome.tif"  # a name that the command before it makes
    bring(pantry, words, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    done = CliRunner().invoke(app, words)

    assert done.exit_code == 0, (words, done.stderr[-2000:], done.exception)


def test_each_command_runs_at_least_once() -> None:
    run = {line.split()[1] for line in LINES if not reason_not_to_run(line)}

    assert set(COMMANDS) - run <= set(UNDERSTOOD)


@pytest.mark.parametrize("pattern", UNDERSTOOD)
def test_no_exception_is_stale(pattern: str) -> None:
    assert any(re.match(rf"{PROGRAM} {pattern}(?= |$)", line) for line in LINES)


def test_other_programs_in_the_docs_are_known() -> None:
    others = {words[0] for _, words in shell_lines() if words[0] != PROGRAM}

    assert others <= set(OTHER_PROGRAMS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_each_help_are_understood(name: str) -> None:
    examples = re.findall(rf"^ {{4}}{PROGRAM} (.*)$", load_command(name).help or "", re.M)

    for example in examples:
        command, *words = shlex.split(example)
        load_command(command).make_context(command, words)
