"""Model files: the zip itself, and packages whose hashes and checksum were made to fit whatever else was forged."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from fuzz.targets import Place, Target, as_file
from napari_autofocus.models.library import SHIPPED
from napari_autofocus.models.package import kind_of_package, open_any_package
from napari_autofocus.models.package.archive import read_archive
from napari_autofocus.models.package.members import OUR_BLOCK, RDF, TEST_INPUT, checksum_of, sha256_of


def _open(path: Path) -> None:
    kind_of_package(path)
    package = open_any_package(path)
    assert package.fingerprint


@functools.cache
def _members() -> dict[str, bytes]:
    """The smallest model that is shipped."""
    return read_archive(min(SHIPPED.glob("*.zip"), key=lambda path: path.stat().st_size))


def _graph() -> str:
    return min((name for name in _members() if name.endswith(".onnx")), key=lambda name: len(_members()[name]))


def _zips() -> list[bytes]:
    """A small zip with the members' names: what is inside is never reached, for no hash fits."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _members().items():
            archive.writestr(name, content if name == RDF else content[:200])
    return [buffer.getvalue()]


def _packed(members: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _signed(members: dict[str, bytes]) -> dict[str, bytes]:
    """The same with hashes and a checksum that fit."""
    rdf = yaml.safe_load(members[RDF])
    block = rdf["config"][OUR_BLOCK]
    block["files"] = {name: sha256_of(content) for name, content in members.items() if name != RDF}
    block["checksum"] = checksum_of(block)
    return {**members, RDF: yaml.safe_dump(rdf).encode()}


def _forged(name: Callable[[], str]) -> Place:
    """The input takes the place of one member."""

    def place(data: bytes, folder: Path) -> Path:
        return _packed(_signed({**_members(), name(): data}), folder / "m.zip")

    return place


def _card() -> list[bytes]:
    """Our block as JSON, so that edits of values reach the card."""
    return [json.dumps(yaml.safe_load(_members()[RDF])["config"][OUR_BLOCK]).encode()]


def _with_card(data: bytes, folder: Path) -> Path:
    rdf = yaml.safe_load(_members()[RDF])
    try:
        block: Any = json.loads(data)
        if isinstance(block, dict):
            block = {**block, "checksum": checksum_of(block)}
    except (ValueError, TypeError, RecursionError):
        block = data.decode("utf-8", "replace")
    rdf["config"][OUR_BLOCK] = block
    try:
        text = yaml.safe_dump(rdf)
    except (yaml.YAMLError, RecursionError):
        text = data.decode("utf-8", "replace")
    return _packed({**_members(), RDF: text.encode("utf-8", "replace")}, folder / "m.zip")


def _rdf(data: bytes, folder: Path) -> Path:
    return _packed({**_members(), RDF: data}, folder / "m.zip")


TARGETS = [
    Target("model-zip", _zips, as_file("m.zip"), _open, opens=False),
    Target("model-rdf", lambda: [_members()[RDF]], _rdf, _open),
    Target("model-card", _card, _with_card, _open),
    Target("model-graph", lambda: [_members()[_graph()]], _forged(_graph), _open),
    Target("model-tensor", lambda: [_members()[TEST_INPUT]], _forged(lambda: TEST_INPUT), _open),
]
