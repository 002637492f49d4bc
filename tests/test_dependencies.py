"""What is declared is used, what is used is declared, and the page on security says why each library is there."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SOURCE = ROOT / "src" / "napari_autofocus"

# Module: the library that brings it, where the two are spelt differently.
BROUGHT_BY = {
    "PIL": "pillow",
    "bioio_base": "bioio-base",
    "cv2": "opencv-python-headless",
    "pymmcore_plus": "pymmcore-plus",
    "skimage": "scikit-image",
    "typing_extensions": "typing-extensions",
    "useq": "useq-schema",
    "yaml": "pyyaml",
}
# Library: the declared one whose business it is, and which asks for it itself.
PART_OF = {
    "bioio-base": "bioio",
    "numcodecs": "zarr",
    "superqt": "napari",
    "typing-extensions": "pydantic",
    "useq-schema": "pymmcore-plus",
}
# Imported by another library, not by us.
FOR_OTHERS = {
    "bioimageio.spec": "tests and users open our model packages with it",
    "bioio-czi": "bioio finds its plugins by itself",
    "bioio-nd2": "bioio finds its plugins by itself",
    "bioio-ome-tiff": "bioio finds its plugins by itself",
    "bioio-ome-zarr": "bioio finds its plugins by itself",
    "onnxscript": "torch.onnx asks for it",
    "PySide6": "qtpy finds it",
}


def _canonical(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0]).lower()


def _declared() -> dict[str, str]:
    """Libraries that users get, as they are spelt in pyproject.toml, by canonical name."""
    extras = [PROJECT["optional-dependencies"][extra] for extra in ("napari", "pyside", "czi", "nd2", "train", "tune")]
    names = [re.split(r"[\[<>=]", each)[0] for group in (PROJECT["dependencies"], *extras) for each in group]
    return {_canonical(name): name for name in names if name != PROJECT["name"]}


@functools.cache
def _imported() -> frozenset[str]:
    """Libraries that the source imports, by canonical name."""
    modules: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    modules -= {*sys.stdlib_module_names, "napari_autofocus"}
    return frozenset(BROUGHT_BY.get(module, _canonical(module)) for module in modules)


def test_every_import_is_declared() -> None:
    known = _declared().keys() | {name for name, owner in PART_OF.items() if _canonical(owner) in _declared()}
    assert _imported() - known == set()


@pytest.mark.parametrize(("name", "owner"), PART_OF.items())
def test_what_comes_with_another_library_is_asked_for_by_it(name: str, owner: str) -> None:
    asked = {_canonical(each) for each in metadata.requires(owner) or [] if "extra ==" not in each}
    assert name in asked


def test_every_library_that_is_declared_is_imported() -> None:
    unused = {name for canonical, name in _declared().items() if canonical not in _imported()}
    assert unused - FOR_OTHERS.keys() == set()


def test_the_page_on_security_lists_what_is_declared_and_tested() -> None:
    line = [sys.executable, str(ROOT / "docs" / "make_dependencies.py"), "--check"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
