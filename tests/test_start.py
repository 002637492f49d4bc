"""Starting is quick: what is imported is known by name, and how long it takes by the processor's own clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMIT_S = 0.3


def printed(script: str) -> list[str]:
    """What a new interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=240
    ).stdout.split()


def test_importing_the_package_imports_nothing_else() -> None:
    script = (
        "import sys, importlib, typing; before = set(sys.modules); import napari_autofocus;"
        " print(*sorted(set(sys.modules) - before))"
    )

    assert printed(script) == ["napari_autofocus"]


def test_importing_the_package_takes_no_time() -> None:
    script = "import time; start = time.process_time(); import napari_autofocus; print(time.process_time() - start)"

    assert float(printed(script)[0]) < LIMIT_S


def test_the_version_is_there_when_it_is_asked_for() -> None:
    assert printed("import napari_autofocus; print(napari_autofocus.__version__)")[0][0].isdigit()


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_the_shell_answers_without_anything_heavy(words: list[str]) -> None:
    script = (
        f"import sys; sys.argv = ['napari-autofocus', *{words!r}]\n"
        "from napari_autofocus.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'cv2', 'torch', 'onnxruntime', 'pymmcore_plus', 'napari', 'qtpy', 'pydantic'}\n"
        "print('heavy:', *heavy & set(sys.modules))"
    )

    assert printed(script)[-1] == "heavy:"
