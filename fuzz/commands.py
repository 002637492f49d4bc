"""Every command with hostile arguments: one sentence and an exit code, never a traceback.

A user's own arguments may name any file, so that paths are kept inside the folder here: what is fuzzed runs as whoever
fuzzes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from fuzz.targets import Target
from napari_autofocus.cli import COMMANDS, app, load_command
from napari_autofocus.errors import InputError

_LEFT_OUT = {"demo"}  # opens napari
_GOOD = {
    "label": ["a.tif"],
    "fuse": ["a.tif", "--out", "f.tif"],
    "estimate": ["a.tif", "--model", "brightfield-20x"],
    "evaluate": ["brightfield-20x", "none"],
    "train": ["none", "--base", "brightfield-20x", "--minutes", "1", "--out", "m.zip"],
    "tune": ["none", "--out", "t.json"],
    "simulate": ["--fields", "1", "--shape", "32x32", "--range-um", "1", "--out", "s"],
    "virtual-refocus": ["a.tif", "a.tif", "--model", "none", "--out", "v.tif"],
}
_ABSENT = ["--microscope", "absent.cfg"]  # the others would begin to work
_CODES = {0, 1, 2, 3}
_LONGEST = 4000
_OUTWARD = re.compile(r"(^|[=: ])(?:/|~|\\|\.\.)")


def _lines() -> list[bytes]:
    """Each command as it is used, then with each of its options."""
    made: list[list[Any]] = [["--version"], ["--help"], ["none"]]
    for name in sorted(COMMANDS.keys() - _LEFT_OUT):
        line = [name, *_GOOD.get(name, [])]
        command = load_command(name)
        if any("--microscope" in param.opts for param in command.params):
            line += _ABSENT
        made += [line, [*line, "--json"]]
        for param in command.params:
            if param.param_type_name == "option" and "--scheduler" not in param.opts:  # a cluster of one's own
                values = [] if getattr(param, "is_flag", False) else ["1"] * max(1, param.nargs)
                made.append([*line, param.opts[0], *values])
    return [json.dumps(each).encode() for each in made]


def _place(data: bytes, folder: Path) -> Path:
    place = folder / "up" / "here"
    place.mkdir(parents=True)
    (place / "a.tif").write_bytes(b"II*\0")
    (place / "arguments.json").write_bytes(data)
    return place


def _arguments(path: Path) -> list[str]:
    try:
        found = json.loads((path / "arguments.json").read_bytes())
    except (ValueError, RecursionError):
        return ["none"]
    values = found if isinstance(found, list) else [found]
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return [_OUTWARD.sub(r"\1x", text.replace("\0", "")) for text in texts]


def _run(path: Path) -> None:
    """Run a command line; raises InputError with what it said where it refused, and whatever escaped it."""
    out, err, home = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(path)
    os.environ["XDG_CACHE_HOME"] = os.environ["XDG_DATA_HOME"] = tempfile.tempdir = str(path)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            app(_arguments(path))
    except SystemExit as left:
        said = err.getvalue()
        if left.code not in (*_CODES, None) or "Traceback" in said or len(said) > _LONGEST:
            raise RuntimeError(f"exit code {left.code}, {len(said)} characters: {said[-300:]}") from left
        if left.code:
            raise InputError(said or "It said nothing.") from left
    finally:
        os.chdir(home)
        tempfile.tempdir = None


TARGETS = [Target("commands", _lines, _place, _run)]
