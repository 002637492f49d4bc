"""Files made to do harm, one test a trick: what each would have done without the check stands in its name."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from napari_autofocus.cli import app
from napari_autofocus.errors import InputError
from napari_autofocus.io import open_stack
from napari_autofocus.io.care.limits import is_below, is_plain_name
from napari_autofocus.io.frames import open_frame
from napari_autofocus.io.positions import read_positions
from napari_autofocus.io.stacks import find_stacks
from napari_autofocus.io.virtual import virtual_origin
from napari_autofocus.labelling import LabelStore
from napari_autofocus.models.package.archive import read_archive
from napari_autofocus.plain_json import read_plain_json
from napari_autofocus.records import SweepRecord
from napari_autofocus.workflows.labels.focus_file import read_focus
from napari_autofocus.workflows.mda import read_sequence
from napari_autofocus.workflows.simulate import prepare_folder

PLANES = np.arange(3 * 8 * 8, dtype=np.uint16).reshape(3, 8, 8)
BOMB = "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9))
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + BOMB + "stage_positions: [{x: 0, y: 0, name: *j}]\n"

PLAIN = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(-1e300, 1e300) | st.text()
ODD = st.none() | st.integers() | st.floats() | st.text()
KEYS = st.sampled_from(["method", "outcome", "curve", "start_um", "reasons", "z_um"])


def _ome(path: Path, old: str, new: str) -> Path:
    """An OME-TIFF of three planes, something else in its description."""
    tifffile.imwrite(path, PLANES, metadata={"axes": "ZYX"}, ome=True)
    with tifffile.TiffFile(path) as tif:
        xml = str(tif.ome_metadata)
    assert old in xml
    with tifffile.TiffWriter(path) as writer:
        for number, plane in enumerate(PLANES):
            text = xml.replace(old, new, 1).encode() if number == 0 else None
            writer.write(plane, description=text, metadata=None, contiguous=False)
    return path


def _zarr(folder: Path, **changes: object) -> Path:
    """An OME-Zarr image, with other values in its array's description."""
    import zarr

    group = zarr.open_group(str(folder), mode="w", zarr_format=2)
    group.create_array("0", shape=PLANES.shape, chunks=(1, 8, 8), dtype="uint16", compressors=None)[:] = PLANES
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [0.5, 0.3, 0.3]}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    described = json.loads((folder / "0" / ".zarray").read_text())
    (folder / "0" / ".zarray").write_text(json.dumps({**described, **changes}))
    return folder


def test_a_chain_of_pages_in_circles_is_not_followed_for_ever(tmp_path: Path) -> None:
    entries = struct.pack("<HHII", 256, 4, 1, 8) + struct.pack("<HHII", 257, 4, 1, 8)
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2) + entries + struct.pack("<I", 8))
    with pytest.raises(InputError, match="goes in circles"):
        open_stack(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('PlaneCount="3"', 'PlaneCount="2000000000"'),
        ('SizeX="8"', 'SizeX="2147483648"'),
        ('SizeZ="3"', 'SizeZ="9999999"'),
    ],
)
def test_announced_planes_take_no_memory(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(InputError, match="announces"):
        open_stack(_ome(tmp_path / "a.ome.tif", old, new))


@pytest.mark.parametrize("name", ["../b.ome.tif", "/etc/passwd", "C:\\b.ome.tif", "x/../../b.ome.tif"])
def test_planes_in_files_elsewhere_are_not_looked_for(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(tmp_path / "b.ome.tif", PLANES + 1)
    uuid = f'PlaneCount="3"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData><Other '
    path = _ome(folder / "a.ome.tif", 'PlaneCount="3"', uuid)
    with pytest.raises(InputError, match="outside its own folder"):
        open_stack(path)


@pytest.mark.parametrize("name", ["../b.zarr/0", "/etc", "..", 3])
def test_pixels_of_another_store_are_not_read(tmp_path: Path, name: object) -> None:
    folder = _zarr(tmp_path / "a.zarr")
    _zarr(tmp_path / "b.zarr")
    attributes = json.loads((folder / ".zattrs").read_text())
    attributes["multiscales"][0]["datasets"][0]["path"] = name
    (folder / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(InputError, match="outside itself"):
        open_stack(folder)


@pytest.mark.parametrize("changes", [{"shape": [3, 10**6, 10**6]}, {"chunks": [1, 10**6, 10**6]}])
def test_a_plane_of_terabytes_is_not_begun(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="more than 1 GB"):
        open_stack(_zarr(tmp_path / "a.zarr", **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": [{"id": "pickle"}]},
        {"compressor": {"id": "pickle"}},
        {"dtype": "|O", "filters": [{"id": "pickle"}]},
        {"filters": [{"id": "delta", "dtype": "<u2"}, {"id": "pickle"}]},
    ],
)
def test_pickled_pixels_run_no_code(tmp_path: Path, changes: dict[str, object]) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    folder = _zarr(tmp_path / "a.zarr", **changes)
    for chunk in (folder / "0").glob("[0-9]*"):
        chunk.write_bytes(pickle.dumps(Harm()))
    with pytest.raises(InputError):
        np.asarray(open_stack(folder).data[0])
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n",
        "CREATE TRIGGER never_ended AFTER INSERT ON entries BEGIN SELECT zeroblob(1000000000); END",
        "CREATE TABLE other (value)",
        "ALTER TABLE entries ADD COLUMN large AS (zeroblob(1000000000))",
        "CREATE INDEX large ON entries (zeroblob(1000000000))",
    ],
)
@pytest.mark.parametrize("read_only", [True, False])
def test_a_label_stores_own_programs_do_not_run(tmp_path: Path, statement: str, read_only: bool) -> None:
    path = tmp_path / "labels.db"
    LabelStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()
    with pytest.raises(InputError, match="no label store has"):
        LabelStore(path, read_only=read_only)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_label_store_whose_own_words_are_no_text_is_one_sentence(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "labels.db"
    LabelStore(path).close()
    path.write_bytes(path.read_bytes().replace(b"entries", b"entri\xff("))
    with pytest.raises(InputError):
        LabelStore(path, read_only=read_only)


def test_an_earlier_simulation_with_an_impossible_name_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "simulation.json").write_text(json.dumps({"stacks": [{"path": "A" * 5000}]}))
    with pytest.raises(InputError, match="cannot be removed"):
        prepare_folder(tmp_path, overwrite=True)


def test_an_entry_that_is_no_json_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        store.add("a.tif", {"best_z_um": 1.0}, annotator="ann", source="person")
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO entries SELECT 2, '', 'b', '', 'a.tif', 'field', '', '{', NULL, NULL, 2")
    connection.commit()
    connection.close()
    with LabelStore(path) as store, pytest.raises(InputError, match="no label store writes"):
        store.labels()


@pytest.mark.parametrize("read", [read_positions, read_sequence])
@pytest.mark.parametrize(
    "text", [BOMB, "a: &a [*a]\nstage_positions: [{x: 0, y: 0}]\n", "a: !!python/name:os.system ''"]
)
def test_yaml_that_stands_for_gigabytes_or_objects_is_refused(tmp_path: Path, read: object, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError):
        read(path)  # type: ignore[operator]


ENDLESS = ("1" + "0" * 400, "[" * 10**5, "9" * 5000)


@pytest.mark.parametrize("text", ["NaN", "1e999", "-Infinity", *ENDLESS, "{", "", r'["\ud800"]'], ids=range(9))
def test_numbers_and_depths_beyond_all_measure_are_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_plain_json(text)


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_whatever_json_can_say_comes_back(value: object) -> None:
    assert read_plain_json(json.dumps(value)) == value


@given(st.recursive(ODD, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8))
def test_no_other_json_is_taken_for_a_record(value: object) -> None:
    with pytest.raises(InputError):
        SweepRecord.from_json(json.dumps(value))


def test_a_number_as_text_is_no_number_of_a_record() -> None:
    told = {"method": "uniform", "outcome": "focused", "start_um": "3.0", "end_um": 0.0, "best_z_um": None}
    told |= {"uncertainty_um": None, "verdict": "peak", "reasons": [], "frames": 1, "moves": 1, "seconds": 1.0}
    assert SweepRecord.from_json(json.dumps({**told, "start_um": 3.0})).start_um == 3.0
    with pytest.raises(InputError, match="start_um"):
        SweepRecord.from_json(json.dumps(told))


@given(st.text())
def test_a_message_is_one_printable_line_whatever_a_file_put_into_it(text: str) -> None:
    message = str(InputError(f"The file {text} is bad."))
    assert message.isprintable() or " " in message
    assert not {"\n", "\r", "\x1b", "\0", "\u202e"} & set(message)
    message.encode()


def test_an_endless_message_keeps_its_beginning_and_its_end() -> None:
    message = str(InputError(f"The file {'A' * 10**6} is bad; name another."))
    assert len(message) < 1500
    assert message.startswith("The file A")
    assert message.endswith("name another.")


@given(st.text(max_size=30))
def test_names_that_lead_elsewhere_are_seen(name: str) -> None:
    root = Path("/data/set")
    if is_plain_name(name):
        assert (root / name).parent == root
    if is_below(name):
        assert root in (root / name, *Path(os.path.normpath(root / name)).parents, Path(os.path.normpath(root / name)))


@pytest.mark.parametrize("name", ["a/b", "..", "", "c:x", "\\\\host\\share", "/x", "a\\b", "."])
def test_what_is_no_name_of_a_neighbour(name: str) -> None:
    assert not is_plain_name(name)


def test_a_table_with_an_endless_cell_is_one_sentence(tmp_path: Path) -> None:
    for number in range(2):
        tifffile.imwrite(tmp_path / f"{number}.tif", PLANES[number])
    (tmp_path / "z_um.csv").write_text(f'file,z_um\n"{"A" * 200_000}",1\n')
    with pytest.raises(InputError, match="cannot be read as a table"):
        open_stack(find_stacks([tmp_path])[0])


@pytest.mark.parametrize("name", ["a.bmp", "a.png", "a.jpg"])
@pytest.mark.parametrize("place", [18, 22])
def test_a_bmp_that_says_it_is_larger_than_its_file_does_not_end_the_process(
    tmp_path: Path, name: str, place: int
) -> None:
    path = tmp_path / "a.bmp"
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    data[place : place + 4] = struct.pack("<I", 16400)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as an image"):
        open_frame(tmp_path / name)


@pytest.mark.parametrize("name", ["a.bmp", "a.png", "a.jpg"])
@pytest.mark.parametrize("look", [open_frame, virtual_origin])
def test_postscript_under_another_name_is_not_run(
    tmp_path: Path, name: str, look: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / name, format="EPS")
    run: list[object] = []
    monkeypatch.setattr(
        "PIL.EpsImagePlugin.Ghostscript", lambda *given: run.append(given) or Image.new("RGB", (16, 16))
    )
    with pytest.raises(InputError, match="cannot be read as an image"):
        look(tmp_path / name)
    assert run == []


def test_a_model_whose_names_are_no_text_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("é.txt", b"")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(InputError, match="damaged or was cut short"):
        read_archive(path)


def test_measurements_that_unpack_to_gigabytes_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("header.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (2**29,)})
        for _ in range(32):
            member.write(bytes(2**24))
    tracemalloc.start()
    assert read_focus(path) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**26


@pytest.mark.parametrize("flag", [1, 32])
def test_measurements_that_are_encrypted_or_patched_are_measured_again(tmp_path: Path, flag: int) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", b"")
    packed = bytearray(path.read_bytes())
    packed[6] |= flag
    packed[packed.index(b"PK\1\2") + 8] |= flag
    path.write_bytes(packed)
    assert read_focus(path) is None


def test_measurements_that_announce_terabytes_are_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("header.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (10**14,)})
    assert read_focus(path) is None


def test_a_name_that_is_too_long_is_one_sentence_at_the_shell() -> None:
    result = CliRunner().invoke(app, ["estimate", "a.tif", "--model", "m" * 5000])
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize("line", [["--" + "A" * 200_000], ["A" * 200_000], ["label", "--" + "A" * 200_000]])
def test_what_is_typed_at_great_length_is_not_all_repeated(line: list[str]) -> None:
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 2
    assert "AAAA" in result.output
    assert len(result.output) < 5000
