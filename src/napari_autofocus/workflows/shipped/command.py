"""What ``make models`` is told, for every kind of model that ships."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection
from importlib.resources import files
from pathlib import Path

from napari_autofocus.errors import AutofocusError, InputError


def reader(description: str, names: Collection[str]) -> argparse.ArgumentParser:
    """What reads the command: which models, where, and on what."""
    parser = argparse.ArgumentParser(prog="make models", description=description)
    parser.add_argument("names", nargs="*", default=sorted(names), help="which; all unless named")
    parser.add_argument("--work", type=Path, default=Path("build/models"), help="folder that earlier runs are found in")
    parser.add_argument("--out", type=Path, default=None, help="folder of the packages; the shipped ones' unless given")
    parser.add_argument("--device", default="cpu", help="that training runs on: cpu, cuda, mps")
    parser.add_argument("--processes", type=int, default=2, help="that simulate at the same time")
    return parser


def exit_code(make: Callable[[argparse.Namespace], None], wanted: argparse.Namespace) -> int:
    """Make what is wanted; a refusal is one sentence on standard error, and exit code 2."""
    try:
        make(wanted)
    except AutofocusError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def target_of(name: str, wanted: argparse.Namespace, recipes: Collection[str]) -> Path:
    """The package of a name. Raises InputError if there is no recipe for it."""
    if name not in recipes:
        raise InputError(f"There is no recipe for {name}; choose among {', '.join(sorted(recipes))}.")
    out: Path = wanted.out or Path(str(files("napari_autofocus.models"))) / "shipped"
    return out / f"{name}.zip"
