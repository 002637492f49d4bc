"""JSON from files that somebody else may have written: plain values of sound size, or one kind of error.

JSON can spell numbers that a float does not hold, and can be nested deeper than any program follows; Python's own
reader lets the first through as infinity and ends the second with an error of its own kind.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

Record = TypeVar("Record")

UNUSABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What taking a foreign document's values apart may raise, whatever stands in it."""

_HALF_LETTER = re.compile(r"\\u[dD][89a-fA-F]")  # half of a pair, perhaps alone: no text, nor the name of a file
_LONGEST_WHOLE = 18  # digits; more do not fit the integers of arrays and tables


def read_plain_json(text: str | bytes) -> Any:
    """The values of a JSON document whose numbers are all finite.

    Raises
    ------
    ValueError
        If it is no JSON, nested too deeply, or holds NaN, infinity, a number too large for a computer's own or half a
        letter.
    """
    try:
        found = json.loads(text, parse_constant=_refused, parse_float=_finite, parse_int=_whole)
        if _HALF_LETTER.search(text if isinstance(text, str) else text.decode("utf-8", "replace")):
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def rebuilt(kind: type[Record], values: Any) -> Record:
    """A dataclass from the plain values of its fields, each of the type that the class states; its own check runs too.

    Raises
    ------
    ValueError
        If a value is missing, unknown or of another type; the first fault is named.
    """
    from pydantic import ValidationError  # slow to import, and only who reads files needs it

    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known) if isinstance(values, Mapping) else []
    if unknown:
        raise ValueError(f"nothing is known of {unknown[0]!r}")
    try:
        made: Record = _adapter(kind).validate_json(  # type: ignore[arg-type]  # classes are hashable
            json.dumps(values), strict=True
        )
        return made
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "the whole"
        raise ValueError(f"{place}: {fault['msg'].lower()}") from error


@functools.cache
def _adapter(kind: Hashable) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _refused(word: str) -> Any:
    raise ValueError(f"it holds {word}, which is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("it holds a number that is too large")
    return number


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > _LONGEST_WHOLE:
        raise ValueError("it holds a number that is too large")
    return int(digits)
