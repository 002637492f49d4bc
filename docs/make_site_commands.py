"""The page of commands of the site, made from what the commands say of themselves with ``--help``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from napari_autofocus.cli import COMMANDS, load_command

HEAD = """# Commands

Made from what each command says with `--help`. Lengths are in µm.

With `--json` a command prints one JSON object on standard output and nothing else there; progress and remarks go to
standard error. Exit codes: 0 done; 2 bad input, and one sentence says what; 3 done in part, since some of several
inputs were bad or a run ended by a failure. `napari-autofocus --version` shows the version.
"""
MARKUP = re.compile(r"\[(bold|/bold)\]")
"""What typer takes out of help texts before they are shown."""

FIRST = "Options"
"""Heading of the options that belong to no panel of their own."""


def commands_page() -> str:
    """The page as Markdown: a list of all commands, then a section for each."""
    listed = [f"| [`{name}`](#{name}) | {words(summary)} |" for name, summary in sorted(COMMANDS.items())]
    sections = [section(name, load_command(name)) for name in sorted(COMMANDS)]
    return "\n".join([HEAD, "| command | what for |", "| --- | --- |", *listed, "", *sections])


def section(name: str, command: Any) -> str:
    """A command: how it is called, what it does, its arguments and options by panel."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    call = " ".join([f"napari-autofocus {name}", *map(argument_name, arguments), "[OPTIONS]"])
    parts = [f"## {name}", f"```text\n{call}\n```", _prose(command.help or "")]
    if arguments:
        rows = [(f"`{argument_name(each)}`", words(each.help or "")) for each in arguments]
        parts.append(_table(("argument", "what"), rows))
    for panel, options in _panels(command.params).items():
        rows = [(names(each), default(each), words(each.help or "")) for each in options]
        parts += [f"**{panel}**", _table(("option", "default", "what"), rows)]
    return "\n\n".join(parts) + "\n"


def argument_name(argument: Any) -> str:
    """As the help shows it."""
    return str(argument.metavar or argument.name.upper())


def names(option: Any) -> str:
    """Every way to write an option, and what follows it."""
    written = [f"`{each}`" for each in (*option.opts, *option.secondary_opts)]
    follows = f" `{option.metavar}`" if option.metavar else ""
    return ", ".join(written).replace("|", r"\|") + follows.replace("|", r"\|")


def default(option: Any) -> str:
    """What holds where nothing is said; empty where the help tells it in words, or nothing does."""
    value = option.default
    if option.show_default is False or value is None or value is False or value in ("", (), []):
        return ""
    if value is True:
        return "on"
    value = getattr(value, "value", value)
    return f"`{' '.join(map(str, value)) if isinstance(value, tuple | list) else value}`"


def words(text: str) -> str:
    """A help text on one line, fit for a cell of a table."""
    plain = MARKUP.sub("**", " ".join(text.split()))
    return plain.replace("|", r"\|").replace("<", "&lt;").replace("*.", r"\*.")


def _panels(parameters: Iterable[Any]) -> dict[str, list[Any]]:
    """Options by their panel, those of none first, in the order of the help."""
    found: dict[str, list[Any]] = {FIRST: []}
    for each in parameters:
        if each.param_type_name == "option" and not each.hidden:
            found.setdefault(each.rich_help_panel or FIRST, []).append(each)
    return {panel: options for panel, options in found.items() if options}


def _prose(text: str) -> str:
    """The paragraphs of a help text; indented ones are commands."""
    paragraphs = [each for each in text.split("\n\n") if each.strip()]
    return "\n\n".join(_block(each) if each.startswith("    ") else words(each) for each in paragraphs)


def _block(text: str) -> str:
    lines = "\n".join(line.removeprefix("    ").rstrip() for line in text.splitlines())
    return f"```console\n{lines}\n```"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(each)} |" for each in (heads, ("---",) * len(heads), *rows)]
    return "\n".join(lines)
