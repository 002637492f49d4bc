"""YAML of plain values whose aliases stand for no more than a file could spell out."""

from __future__ import annotations

from typing import Any

import yaml

LARGEST = 10_000_000
"""Values and letters that a document may stand for; a position list of ten thousand places has about half a million."""


def read_yaml_values(text: str) -> Any:
    """The values of a document, without objects.

    Raises
    ------
    ValueError
        If it is no YAML, asks for objects, is nested too deeply, holds itself, or stands for far more than it spells.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except (RecursionError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise ValueError(f"it is not sound YAML ({error})") from error
    if _weight(found, {}, ()) > LARGEST:
        raise ValueError("its aliases stand for far more than the file holds")
    return found


def _weight(value: Any, known: dict[int, int], above: tuple[int, ...]) -> int:
    """How many values and letters a value would take, written out."""
    if isinstance(value, str | bytes):
        return 1 + len(value)
    if not isinstance(value, dict | list | tuple | set):
        return 1
    if id(value) in above:
        raise ValueError("it holds itself")
    if id(value) not in known:
        parts = [part for pair in value.items() for part in pair] if isinstance(value, dict) else list(value)
        known[id(value)] = 1 + sum(_weight(part, known, (*above, id(value))) for part in parts)
    return known[id(value)]
