"""The page of messages quotes what the program really says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
SOURCE = ROOT / "src" / "napari_autofocus"
HOLE = "…"
HARDWARE = ("MoveRefused", "MicroscopeTaken", "HardwareError", "FrameError", "ForeignMove", "DriveHalted")
"""Errors of whom every sentence is on the page."""

ONLY_TOURS = ("sparsity_demo.py",)


def said() -> list[str]:
    """Every sentence in the source, its values taken out."""
    found = []
    for path in SOURCE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        found += [text for node in nodes if (text := sentence(node))]
    return found


def sentence(node: ast.AST) -> str:
    """The words of a string, or of strings that are added to each other."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (sentence(node.left) or HOLE) + (sentence(node.right) or HOLE)
    return ""


def quoted() -> list[str]:
    """What the page quotes."""
    return re.findall(r"^> (.*)$", PAGE.read_text(encoding="utf-8"), re.M)


def says(sentence: str, quote: str) -> bool:
    """Whether a quote is of that sentence: what stands in place of a value may be anything."""
    words = [part for part in quote.split(HOLE) if part]
    if not all(part in sentence for part in words):
        return False
    return re.search(".*".join(re.escape(part) for part in words), sentence) is not None


@pytest.fixture(scope="module")
def sentences() -> set[str]:
    return {text for text in said() if " " in text}


def test_every_quoted_message_is_said_by_the_program(sentences: set[str]) -> None:
    missing = [quote for quote in quoted() if not any(says(each, quote) for each in sentences)]

    assert quoted()
    assert missing == []


def raised(*kinds: str) -> Iterator[str]:
    """What errors of some kinds say, each as the source spells it."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).split(".")[-1] in kinds:
                text = sentence(node.args[0])
                if re.search(r"\w", text) and path.name not in ONLY_TOURS:
                    yield text


def test_every_refusal_of_a_move_and_every_failure_of_a_device_is_quoted() -> None:
    quotes = quoted()
    told = set(raised(*HARDWARE))

    assert len(told) > 40
    assert sorted(text for text in told if not any(says(text, quote) for quote in quotes)) == []


def test_a_sentence_that_nobody_says_is_found(sentences: set[str]) -> None:
    assert not any(says(each, "The drive … has gone for lunch") for each in sentences)


def test_no_message_is_quoted_twice() -> None:
    assert len(quoted()) == len(set(quoted()))


def test_every_quote_is_followed_by_what_to_do() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line]

    assert [line for line, following in pairwise(lines) if line[0] == following[0] == ">"] == []
    assert not lines[-1].startswith(">")
