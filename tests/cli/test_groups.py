"""Groups of options: a dataclass in a command's signature is one option a field at the shell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from napari_autofocus.cli.parts.groups import spread_groups


@dataclass(frozen=True)
class Drive:
    low_um: Annotated[float, typer.Option("--low-um")] = -5.0
    name: Annotated[str, typer.Option()] = "Z"
    runs: int = 1  # for the command to fill in


def told(*arguments: str) -> tuple[int, list[object]]:
    heard: list[object] = []

    def command(
        path: Annotated[str, typer.Argument()], *, drive: Drive, yes: Annotated[bool, typer.Option("--yes")] = False
    ) -> None:
        heard.extend((path, drive, yes))

    app = typer.Typer()
    app.command()(spread_groups(command))
    return CliRunner().invoke(app, arguments).exit_code, heard


@pytest.mark.parametrize(
    ("arguments", "drive", "yes"),
    [
        (["a"], Drive(), False),
        (["a", "--low-um", "-7", "--yes"], Drive(-7.0), True),
        (["--name", "Piezo", "a"], Drive(name="Piezo"), False),
    ],
)
def test_a_command_gets_the_group_with_what_was_typed(arguments: list[str], drive: Drive, yes: bool) -> None:
    assert told(*arguments) == (0, ["a", drive, yes])


def test_a_field_that_is_no_option_cannot_be_typed() -> None:
    code, heard = told("a", "--runs", "3")
    assert (code, heard) == (2, [])


def test_a_command_without_groups_stays_as_it_is() -> None:
    def command(path: str) -> None:
        raise AssertionError(path)

    assert spread_groups(command) is command
