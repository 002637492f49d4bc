"""Nothing in the source can run code that a file brings: no pickles, no YAML objects, no shell, no eval."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "napari_autofocus"
TREES = {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput", "yaml.load"),
    *("yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "torch.load", "torch.hub.load", "torch.jit.load"),
    *("pandas.read_pickle", "pd.read_pickle", "tarfile.open", "shutil.unpack_archive", "zipfile.ZipFile.extractall"),
    *("torch.onnx.load", "onnx.hub.load", "numpy.loads", "numpy.fromregex", "tempfile.mktemp"),
}
METHODS = {
    "extractall",
    "extract",
    "enable_load_extension",
    "load_extension",
    "read_pickle",
    "register_custom_ops_library",
}
LOADERS = {"yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader"}


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def offences(tree: ast.AST) -> Iterator[str]:
    """What a module must not do, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"line {node.lineno}: {name}" for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            yield from (f"line {node.lineno}: {what}" for what in _in_call(node))
        elif isinstance(node, ast.Attribute) and _name(node) in LOADERS:
            yield f"line {node.lineno}: {_name(node)}"


def _in_call(node: ast.Call) -> Iterator[str]:
    name = _name(node.func).replace("np.", "numpy.")
    said = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
    if name in CALLS or name.rpartition(".")[2] in METHODS:
        yield name
    if name == "numpy.load" and said.get("allow_pickle", True) is not False:
        yield "numpy.load without allow_pickle=False"
    if said.get("shell") or said.get("allow_pickle") or said.get("weights_only") is False:
        yield f"{name} with shell, allow_pickle or weights_only=False"


def test_no_module_can_run_what_a_file_brings() -> None:
    assert [f"{name}, {offence}" for name, tree in sorted(TREES.items()) for offence in offences(tree)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load(path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.FullLoader)",
        "subprocess.run(line, shell=True)",
        "eval(text)",
        "archive.extractall(folder)",
        "connection.enable_load_extension(True)",
    ],
)
def test_what_could_is_seen(text: str) -> None:
    assert list(offences(ast.parse(text)))


def test_what_cannot_is_let_be() -> None:
    text = (
        "np.load(path, allow_pickle=False)\nyaml.safe_load(text)\nnetwork.eval()\nre.compile('a')\nsubprocess.run([a])"
    )
    assert list(offences(ast.parse(text))) == []
