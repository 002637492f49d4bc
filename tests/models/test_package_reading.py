"""Whatever is done to a package is noticed, said in one sentence, and never acted upon."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.models.package import archive, open_package, plain_yaml
from napari_autofocus.models.package.members import DEFOCUS_GRAPH, OUR_BLOCK, RDF, TEST_INPUT, TEST_OUTPUT
from tiny_models import Members, forge, members_of, repacked, rewrite_rdf, tiny_bytes, tiny_file


def _one_sentence(error: pytest.ExceptionInfo[InputError]) -> bool:
    return "\n" not in str(error.value) and str(error.value).endswith(".")


def _in_block(change: Callable[[dict[str, Any]], Any]) -> Callable[[Members], None]:
    return lambda members: rewrite_rdf(members, lambda rdf: change(rdf["config"][OUR_BLOCK]) and None)


def _in_rdf(change: Callable[[dict[str, Any]], Any]) -> Callable[[Members], None]:
    return lambda members: rewrite_rdf(members, lambda rdf: change(rdf) and None)


def _forged(change: Callable[[dict[str, Any]], Any]) -> Callable[[Members], None]:
    return lambda members: forge(members, lambda block: change(block) and None)


def _set(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda mapping: mapping.update(values)


def _replace(name: str, content: bytes) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        members[name] = content
        forge(members)

    return change


def _npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=pickled)
    return stream.getvalue()


def _drop(name: str) -> Callable[[Members], None]:
    return lambda members: members.pop(name) and None


def _add(name: str, content: bytes = b"x") -> Callable[[Members], None]:
    return lambda members: members.update({name: content})


def _other_answer(members: Members) -> None:
    graph = onnx.load_from_string(members[DEFOCUS_GRAPH])
    for weight in graph.graph.initializer:
        if list(weight.dims) == [1]:
            weight.CopyFrom(onnx.numpy_helper.from_array(np.array([-9.9], np.float32), weight.name))
    _replace(DEFOCUS_GRAPH, graph.SerializeToString())(members)


def _external_weights(members: Members) -> None:
    graph = onnx.load_from_string(members[DEFOCUS_GRAPH])
    weight = graph.graph.initializer[0]
    onnx.external_data_helper.set_external_data(weight, location="/etc/passwd")
    weight.ClearField("raw_data")
    _replace(DEFOCUS_GRAPH, graph.SerializeToString())(members)


ALIASES = b"a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\n"
CHANGES: dict[str, tuple[Callable[[Members], None], str]] = {
    "no rdf": (_drop(RDF), r"a zip but not a model: it has no rdf\.yaml"),
    "rdf not utf-8": (_add(RDF, b"\xff\xfe\x00"), "cannot be read"),
    "rdf no yaml": (_add(RDF, b"a: [1, 2"), "cannot be read"),
    "rdf a list": (_add(RDF, b"- 1\n- 2\n"), "no description of a model"),
    "rdf nested": (_add(RDF, b"[" * 5000), "cannot be read"),
    "rdf with aliases": (_add(RDF, ALIASES), "aliases are not allowed"),
    "rdf with an object": (_add(RDF, b"a: !!python/object/apply:os.system ['true']\n"), "cannot be read"),
    "rdf too long": (_add(RDF, b"#" * (plain_yaml.LARGEST + 1)), "more than"),
    "a data set": (_in_rdf(_set(type="dataset")), "describes a 'dataset', not a model"),
    "older format": (_in_rdf(_set(format_version="0.4.10")), r"has version 0\.4\.10 of the bioimage\.io model format"),
    "later format": (_in_rdf(_set(format_version="1.0.0")), r"has version 1\.0\.0 of the bioimage\.io model format"),
    "somebody else's": (_in_rdf(_set(config={"bioimageio": {}})), "none that tells defocus"),
    "no config": (_in_rdf(_set(config=None)), "none that tells defocus"),
    "later card": (_in_block(_set(config_version=2)), "written by a later napari-autofocus .*update napari-autofocus"),
    "no card version": (_in_block(_set(config_version="1")), "states no version of its card"),
    "two shots": (_in_block(_set(kind="two-shot")), "tells defocus from two shots, and a model is wanted"),
    "changed card": (_in_block(lambda block: block["optics"].update(na=0.5)), "The card of .* was changed"),
    "changed evaluation": (_in_block(_set(evaluation={"mae_um": 0.0})), "The card of .* was changed"),
    "NaN in the card": (_in_block(lambda block: block["optics"].update(na=float("nan"))), "holds what JSON cannot"),
    "member changed": (_add(TEST_INPUT, b"x"), r"the hash of test_input\.npy differs"),
    "member lost": (_drop(DEFOCUS_GRAPH), r"lacks defocus\.onnx"),
    "member added": (_add("run_me.py"), r"holds run_me\.py, which its card does not list"),
    "no list of files": (_forged(_set(files=None)), "does not list its files"),
    "key missing": (_forged(lambda block: block.pop("selection")), "wrong at selection: field required"),
    "key unknown": (_forged(_set(optcs=1)), "wrong at optcs"),
    "text for a number": (_forged(lambda block: block["optics"].update(na="0.75")), r"wrong at optics\.na"),
    "negative NA": (_forged(lambda block: block["optics"].update(na=-1.0)), r"wrong at optics\.na"),
    "wrong decision": (_forged(lambda block: block["decision"].update(range_um=-1.0)), "range_um must be a positive"),
    "unknown decision": (_forged(lambda block: block["decision"].update(luck=1.0)), r"wrong at decision\.luck"),
    "odd reduction": (_forged(_set(reduction=7)), "a reduction of 7 does not divide"),
    "huge patch": (_forged(_set(patch_px=10**9)), "wrong at patch_px"),
    "tensor no array": (_replace(TEST_INPUT, b"nothing"), r"test_input\.npy is no array that can be read"),
    "tensor a pickle": (_replace(TEST_INPUT, _npy(np.array([{}]), pickled=True)), "not the array of float32"),
    "tensor cut": (_replace(TEST_OUTPUT, _npy(np.zeros((2, 3), np.float32))[:-1]), "not the array of float32"),
    "tensor with NaN": (_replace(TEST_OUTPUT, _npy(np.full((2, 3), np.nan, np.float32))), "holds NaN"),
    "tensor too small": (
        _replace(TEST_INPUT, _npy(np.zeros((2, 3), np.float32))),
        "has shape .* asks for any x 3",
    ),
    "other answer": (_other_answer, r"answers its test differently .* \(by 0\.\d+, allowed 0\.01\)"),
    "graph no ONNX": (_replace(DEFOCUS_GRAPH, b"x" * 100), "onnxruntime cannot load the graph"),
    "weights elsewhere": (_external_weights, "reads weights from other files"),
    "the other graph": (
        lambda members: _replace(DEFOCUS_GRAPH, members["importance.onnx"])(members),
        "The graph has overview, importance; it needs patches and prediction",
    ),
}


def test_an_untouched_package_opens(tmp_path: Path) -> None:
    package = open_package(tiny_file(tmp_path))
    assert package.card.name == "tiny-20x"
    assert package.size_bytes == len(tiny_bytes())


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_package_is_refused_in_one_sentence(tmp_path: Path, what: str) -> None:
    change, words = CHANGES[what]
    path = repacked(tmp_path, change)
    with pytest.raises(InputError, match=words) as error:
        open_package(path)
    assert str(path) in str(error.value)
    assert _one_sentence(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no model file"),
        (b"", "is empty"),
        (b"II*\x00 a picture, say", "is not a model"),
        (b"PK\x03\x04", "damaged or was cut short"),
    ],
)
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "model.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        open_package(path)
    assert _one_sentence(error)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        open_package(tmp_path)


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_package_never_opens(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.zip"
    path.write_bytes(tiny_bytes()[: int(share * len(tiny_bytes()))])
    with pytest.raises(InputError) as error:
        open_package(path)
    assert _one_sentence(error)


@given(place=st.integers(0, len(tiny_bytes()) - 1), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_refused_or_harmless(tmp_path: Path, place: int, bit: int) -> None:
    """Harmless are bits of the zip that nobody reads, such as a member's time."""
    content = bytearray(tiny_bytes())
    content[place] ^= 1 << bit
    path = tmp_path / "flipped.zip"
    path.write_bytes(content)
    try:
        package = open_package(path)
    except InputError:
        return
    assert dict(package.members) == members_of(tiny_bytes())


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "..\\out.txt", "C:\\out.txt"])
def test_a_name_that_points_outside_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    path = repacked(folder, _add(name))
    with pytest.raises(InputError, match="points outside the package"):
        open_package(path)
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["changed.zip", "inner"]


def test_a_package_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST_UNPACKED", 2**20)
    path = repacked(tmp_path, _add("zeros", bytes(2**21)))
    with pytest.raises(InputError, match="unpack to more than 1 MB"):
        open_package(path)


def test_a_package_that_lies_about_its_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = repacked(tmp_path, _add("zeros", bytes(2**21)))
    content = path.read_bytes().replace(struct.pack("<I", 2**21), struct.pack("<I", 10))
    path.write_bytes(content)
    monkeypatch.setattr(archive, "LARGEST_UNPACKED", 2**20)
    with pytest.raises(InputError, match=r"unpack to more than|cut short"):
        open_package(path)


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = repacked(tmp_path, lambda members: members.update({str(index): b"" for index in range(200)}))
    with pytest.raises(InputError, match="or 100 files"):
        open_package(path)


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tiny_file(tmp_path)
    with zipfile.ZipFile(path, "a") as again, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again.writestr(RDF, "type: model")
    with pytest.raises(InputError, match=r"holds 'rdf\.yaml' twice"):
        open_package(path)


def test_an_encrypted_package_is_refused(tmp_path: Path) -> None:
    content = tiny_bytes().replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")
    content = content.replace(b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00\x01\x00")
    assert content != tiny_bytes()
    path = tmp_path / "secret.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be used|damaged"):
        open_package(path)


def test_the_kind_that_is_wanted_can_be_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="from one shot, and a model is wanted that tells defocus from two"):
        open_package(tiny_file(tmp_path), kind="two-shot")


def test_opening_writes_nothing(tmp_path: Path) -> None:
    path = tiny_file(tmp_path)
    open_package(path)
    assert list(tmp_path.iterdir()) == [path]


def test_card_is_json() -> None:
    rdf = members_of(tiny_bytes())[RDF]
    block = plain_yaml.read_yaml(rdf, "it")["config"][OUR_BLOCK]
    assert json.loads(json.dumps(block, allow_nan=False)) == block
