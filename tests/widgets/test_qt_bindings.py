"""Qt is asked for through qtpy, by names that PyQt6 and PySide6 share."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("src", "tests", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
BINDINGS = {"PyQt5", "PyQt6", "PySide2", "PySide6", "sip", "shiboken2", "shiboken6"}
OF_ONE_BINDING = {"pyqtSignal", "pyqtSlot", "pyqtProperty", "pyqtBoundSignal", "QVariant", "toPyObject", "exec_", "sip"}


def bindings_imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        else:
            continue
        yield from (module for module in modules if module.partition(".")[0] in BINDINGS)


def names_of_one_binding(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in OF_ONE_BINDING:
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name in OF_ONE_BINDING)


@pytest.mark.parametrize("faults", [bindings_imported, names_of_one_binding])
def test_the_binding_is_left_to_qtpy(faults: Callable[[ast.AST], Iterator[str]]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}" for path in FILES for name in faults(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize("faults", [bindings_imported, names_of_one_binding])
@pytest.mark.parametrize("line", ["from PyQt6 import sip", "import PySide6.QtCore as q; q.exec_()"])
def test_what_belongs_to_one_binding_is_noticed(line: str, faults: Callable[[ast.AST], Iterator[str]]) -> None:
    assert list(faults(ast.parse(line)))
