"""Edits that turn a good input into a damaged or a hostile one; each is a plain value, so that it can be shrunk."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

NUMBERS = (
    *("0", "-1", "1", "-0.0", "0.5", "1e-320", "1e308", "1e999", "-1e999", "NaN", "Infinity", "nan", "inf"),
    *("255", "65536", "1000000", "1000000000", "2147483648", "4294967296", "9223372036854775808", "1" + "0" * 400),
    *("9" * 5000, "0x10", "1_000", "٣", "1.5", "+1", ""),
)
TEXTS = (
    *("", " ", "\0", "\n", "\r\n", "é", "\ud800", "𝕏" * 50, "A" * 200_000, "%s%n{0}{x.__class__}", "${HOME}", "*"),
    *("/etc/passwd", "../../../../etc/passwd", "..", ".", "/", "C:\\Windows\\win.ini", "\\\\host\\share", "~root"),
    *("file:///etc/passwd", "http://127.0.0.1:9/x", "/dev/zero", "/proc/self/mem", "/dev/stdin", "con", "nul"),
    *("!!python/object/apply:os.system [id]", "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", "&a;", "|O"),
    *("' OR 1=1 --", "=cmd|' /C calc'!A0", "true", "null", "NaN", "2026-02-30", "9999-12-31T23:59:59+99:99", "+1"),
)
VALUES = (
    *("null", "true", "false", "[]", "{}", '""', "[[]]", "[null]", '{"": null}', "0", "-1", "1", "0.5", "1e308"),
    *("1e999", "-1e999", "NaN", "1000000", "1000000000", "9223372036854775808", "1" + "0" * 400, "-5e-324"),
    *(json.dumps(text) for text in TEXTS),
    *("[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000, "[" + "0," * 20_000 + "0]"),
)

_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_QUOTED = re.compile(rb'"[^"\n]*"')
_MARK = "a place for a hostile value"


@dataclass(frozen=True)
class Edit:
    """One change.

    Parameters
    ----------
    kind : str
        A key of :data:`KINDS`.
    place : float
        Where, in [0, 1): as a share of the input, or of the things that could be changed.
    value : int
        Which hostile value, or how many bytes.
    """

    kind: str
    place: float
    value: int


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """The input after all changes, in turn; those that do not fit leave it as it is."""
    for edit in edits:
        data = KINDS[edit.kind](data, edit)
    return data


def drawn(rng: random.Random) -> list[Edit]:
    """One to four changes, most often one: several together hide each other."""
    count = rng.choice((1, 1, 1, 2, 3, 4))
    return [Edit(rng.choice(tuple(KINDS)), rng.random(), rng.randrange(2**16)) for _ in range(count)]


def _at(data: bytes, edit: Edit) -> int:
    return int(edit.place * (len(data) + 1))


def _truncate(data: bytes, edit: Edit) -> bytes:
    return data[: _at(data, edit)]


def _flip(data: bytes, edit: Edit) -> bytes:
    at = min(_at(data, edit), len(data) - 1)
    return data[:at] + bytes([data[at] ^ (1 << edit.value % 8)]) + data[at + 1 :] if data else data


def _delete(data: bytes, edit: Edit) -> bytes:
    at = _at(data, edit)
    return data[:at] + data[at + 1 + edit.value % 64 :]


def _double(data: bytes, edit: Edit) -> bytes:
    at, length = _at(data, edit), 1 + edit.value % 4096
    return data[: at + length] + data[at:]


def _overwrite(data: bytes, edit: Edit) -> bytes:
    """A binary number of a size that headers use."""
    at, width = _at(data, edit), (1, 2, 4, 8)[edit.value % 4]
    number = (0, 1, 2**31 - 1, 2**63 - 1, 2**64 - 1, 1000, 2**16)[edit.value // 4 % 7] % 2 ** (8 * width)
    return data[:at] + number.to_bytes(width, ("little", "big")[edit.value // 32 % 2]) + data[at + width :]


def _insert(data: bytes, edit: Edit) -> bytes:
    at = _at(data, edit)
    return data[:at] + _bytes(TEXTS[edit.value % len(TEXTS)]) + data[at:]


def _number(data: bytes, edit: Edit) -> bytes:
    return _substituted(data, _NUMBER, edit, NUMBERS[edit.value % len(NUMBERS)].encode())


def _text(data: bytes, edit: Edit) -> bytes:
    return _substituted(data, _QUOTED, edit, b'"' + _bytes(TEXTS[edit.value % len(TEXTS)]) + b'"')


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _substituted(data: bytes, pattern: re.Pattern[bytes], edit: Edit, by: bytes) -> bytes:
    found = list(pattern.finditer(data[:1_000_000]))
    if not found:
        return data
    match = found[int(edit.place * len(found))]
    return data[: match.start()] + by + data[match.end() :]


def _value(data: bytes, edit: Edit) -> bytes:
    """Another value in place of any part of a JSON document."""
    return _in_json(data, edit, lambda holder, key: holder.__setitem__(key, _MARK)).replace(
        json.dumps(_MARK).encode(), VALUES[edit.value % len(VALUES)].encode()
    )


def _lacking(data: bytes, edit: Edit) -> bytes:
    """Any part of a JSON document left out."""
    return _in_json(data, edit, lambda holder, key: holder.pop(key))


def _more(data: bytes, edit: Edit) -> bytes:
    """An unknown key, or an element twice."""

    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, list):
            holder.extend([holder[key]] * (1 + edit.value % 50))
        else:
            holder[TEXTS[edit.value % 30]] = holder[key]

    return _in_json(data, edit, change)


def _in_json(data: bytes, edit: Edit, change: Callable[[Any, Any], object]) -> bytes:
    lines = data.splitlines() if data.count(b"\n{") > 1 and data.startswith(b"{") else [data]
    number = edit.value % len(lines) if lines else 0
    try:
        document = json.loads(lines[number])
    except (ValueError, IndexError, RecursionError):
        return data
    root = [document]
    places = list(_places(root))
    change(*places[int(edit.place * len(places))])
    lines[number] = json.dumps(root[0] if root else None).encode()
    return b"\n".join(lines)


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    keys = range(len(holder)) if isinstance(holder, list) else list(holder)
    for key in keys:
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])


KINDS: dict[str, Callable[[bytes, Edit], bytes]] = {
    "truncate": _truncate,
    "flip": _flip,
    "delete": _delete,
    "double": _double,
    "overwrite": _overwrite,
    "insert": _insert,
    "number": _number,
    "text": _text,
    "value": _value,
    "lacking": _lacking,
    "more": _more,
}
