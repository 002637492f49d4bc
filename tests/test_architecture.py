"""Who may import whom: the rooms of the project lean on each other in one direction only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "napari_autofocus"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

GROUND = {"errors", "files", "memory", "optics", "plain_json", "records", "steps"}
SENSES = {"focus", "slide", "microscope.protocol"}
SKILLS = {"routines", "models", "labelling", "io", "simulation"}

# Room: the rooms it may import, besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "memory": set(),
    "optics": {"errors"},
    "plain_json": set(),
    "steps": set(),
    "records": {"errors", "plain_json"},
    "microscope.protocol": {"errors"},
    "focus": GROUND,
    "slide": GROUND,
    "simulation": GROUND | SENSES,
    "labelling": GROUND | SENSES,
    "io": GROUND | SENSES,
    "routines": GROUND | SENSES,
    "models": GROUND | SENSES | {"labelling", "io", "simulation"},
    "sample_data": GROUND | SENSES | {"io", "simulation"},
    "microscope": GROUND | SENSES | {"simulation"},
    "workflows": GROUND | SENSES | SKILLS,
    "widgets": GROUND | SENSES | SKILLS | {"microscope", "sample_data", "workflows"},
    "cli": GROUND | SENSES | SKILLS | {"microscope", "sample_data", "workflows"},
}
# The package itself hands out load_model, lazily.
MAY_IMPORT[""] = {"models"}
# ``python -m napari_autofocus`` is the command line.
MAY_IMPORT["__main__"] = {"cli"}
# The demo opens napari, which only the widgets know.
MAY_IMPORT["cli.demo"] = MAY_IMPORT["cli"] | {"cli", "widgets"}

MODULES_IN_A_FOLDER = 26
"""More than that nobody looks through."""

GUI = {"qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "napari", "magicgui", "superqt", "pyqtgraph", "vispy"}
HARDWARE = {"pymmcore", "pymmcore_plus", "pymmcore_widgets", "useq"}
LEARNING = {"torch", "onnxruntime", "safetensors", "bioimageio"}

# Library: the rooms that may know it.
KNOWN_BY: dict[str, set[str]] = {
    **{library: {"widgets"} for library in GUI},
    **{library: {"microscope", "workflows.mda"} for library in HARDWARE},
    **{library: {"models"} for library in LEARNING},
    "ray": {"workflows.tune.ray"},
    **{library: set() for library in ("pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")},
}


@dataclass(frozen=True)
class Import:
    """One import statement: who imports what, both without the name of the package; outside modules as they are."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer} (line {self.line}) imports {self.imported}"


def _module(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def _names(node: ast.AST) -> Iterator[str]:
    """Full names of the modules that a statement imports; ``from room import module`` names the module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner.removeprefix(f"{PACKAGE}.") in MODULES else str(node.module)


IMPORTS = [
    Import(importer, name, node.lineno)
    for importer, tree in TREES.items()
    for node in ast.walk(tree)
    if isinstance(node, ast.Import | ast.ImportFrom)
    for name in _names(node)
]
INSIDE = [
    Import(each.importer, each.imported.removeprefix(f"{PACKAGE}."), each.line)
    for each in IMPORTS
    if each.imported.startswith(f"{PACKAGE}.")
]


def _room(module: str) -> str:
    """The most closely named room of the table that holds a module: ``microscope.protocol`` before ``microscope``."""
    rooms = [room for room in MAY_IMPORT if module == room or module.startswith(f"{room}.")]
    return max(rooms, key=len, default="")


def _within(module: str, rooms: set[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def test_every_module_stands_in_a_room() -> None:
    assert [name for name in MODULES if name and not _room(name)] == []


def test_no_folder_holds_more_modules_than_one_looks_through() -> None:
    folders = Counter(
        path.parent.relative_to(SOURCE).as_posix() for name, path in MODULES.items() if "__" not in path.stem
    )
    assert {folder: count for folder, count in folders.items() if count > MODULES_IN_A_FOLDER} == {}


def test_a_package_of_parts_has_a_name_of_its_own_and_says_what_it_holds() -> None:
    packages = [path.parent for path in MODULES.values() if path.name == "__init__.py" and path.parent != SOURCE]
    assert [package for package in packages if package.with_suffix(".py").exists()] == []
    assert [path for path in SOURCE.rglob("*.py") if not (path.parent / "__init__.py").exists()] == []


def test_imports_are_absolute() -> None:
    relative = [
        f"{name} (line {node.lineno})"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_rooms_import_only_what_they_may() -> None:
    offences = [
        str(each)
        for each in INSIDE
        if _room(each.importer) != _room(each.imported) and _room(each.imported) not in MAY_IMPORT[_room(each.importer)]
    ]
    assert offences == []


def test_the_table_has_no_circle_between_rooms() -> None:
    seen: set[str] = set()
    rest = dict(MAY_IMPORT)
    while rest:
        free = {room for room, needs in rest.items() if needs & MAY_IMPORT.keys() <= seen | {room}}
        assert free, f"These rooms import each other in a circle: {sorted(rest)}"
        seen |= free
        rest = {room: needs for room, needs in rest.items() if room not in free}


def test_the_package_itself_imports_only_the_models_it_hands_out() -> None:
    assert {each.imported for each in INSIDE if each.importer == ""} == {
        "models.predictor",
        "models.pair_predictor",
        "models.refocuser",
    }


def test_libraries_stay_in_the_rooms_that_know_them() -> None:
    offences = [
        str(each)
        for each in IMPORTS
        if not _within(each.importer, KNOWN_BY.get(each.imported.partition(".")[0], {each.importer}))
    ]
    assert offences == []


def test_the_protocol_of_the_microscope_knows_no_hardware_and_of_the_project_only_the_errors() -> None:
    imported = {each.imported for each in IMPORTS if each.importer == "microscope.protocol"}
    outside = imported - {f"{PACKAGE}.errors"}
    assert {name.partition(".")[0] for name in outside} <= set(sys.stdlib_module_names) | {"numpy"}


def test_wide_handlers_raise_again() -> None:
    """``except Exception`` is for teardown: it may put things back, but never swallow what went wrong."""
    swallowing = [
        f"{name} (line {node.lineno})"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _is_wide(node) and not _raises_again(node)
    ]
    assert swallowing == []


def _is_wide(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(one is None or getattr(one, "id", "") in {"Exception", "BaseException"} for one in caught)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """As it was, or in the end as an error of ours that names it as its cause."""
    last = handler.body[-1]
    translated = isinstance(last, ast.Raise) and getattr(last.cause, "id", None) == handler.name is not None
    return translated or any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))


def test_wide_exceptions_are_not_suppressed() -> None:
    suppressing = [
        f"{name} (line {node.lineno})"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] == "suppress"
        and {"Exception", "BaseException"} & {ast.unparse(argument) for argument in node.args}
    ]
    assert suppressing == []


def test_nothing_is_unpickled() -> None:
    """Opening a file must never run code from it."""
    unsafe = [
        f"{name} (line {node.lineno}): {ast.unparse(node.func)}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _may_unpickle(node)
    ]
    assert unsafe == []


def _may_unpickle(call: ast.Call) -> bool:
    allowed = any(
        keyword.arg == "allow_pickle" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        for keyword in call.keywords
    )
    return allowed or ast.unparse(call.func) in {"torch.load", "pd.read_pickle", "eval", "exec", "yaml.load"}


def test_errors_of_our_own_are_no_runtime_errors() -> None:
    """Generator workers swallow RuntimeError silently."""
    bases = {
        base.id: node.name
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    assert "RuntimeError" not in bases


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("", GUI | HARDWARE | LEARNING | {"numpy"}),
        ("models", GUI | HARDWARE | LEARNING),
        ("focus", GUI | HARDWARE | LEARNING),
        ("focus.estimate", GUI | HARDWARE | LEARNING),
        ("focus.deciding.decision", GUI | HARDWARE | LEARNING),
        ("focus.zstack", GUI | HARDWARE | LEARNING),
        ("simulation", GUI | HARDWARE | LEARNING),
        ("routines.sweep", GUI | HARDWARE | LEARNING),
        ("io", GUI | HARDWARE | LEARNING),
        ("cli", GUI | HARDWARE | LEARNING | {"scipy", "cv2", "matplotlib"}),
    ],
)
def test_importing_a_room_stays_light(module: str, unwanted: set[str]) -> None:
    name = f"{PACKAGE}.{module}".rstrip(".")
    script = f"import sys, {name}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=120)
    assert set(loaded.stdout.split()) & unwanted == set()
