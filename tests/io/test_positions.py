"""Lists of positions: written, read back, read by the programs they are for, and refused where they are not ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import ome_types
import pytest
import tifffile
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from useq import MDASequence

from napari_autofocus.errors import InputError
from napari_autofocus.io.positions import Position, Positions, read_positions, write_positions
from napari_autofocus.slide.focus_map import FocusPoint, fit_focus_map

THREE = Positions(
    (Position(1.5, -2.25, 33.125, "north"), Position(1000.0, 2000.0, None, "sud, été"), Position(0.0, 0.0, -4.5)),
    "XYStage",
    "ZDrive",
)


def _text(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", [".pos", ".csv", ".yaml", ".yml", ".json", ".ome.xml"])
def test_a_list_comes_back_as_it_was_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"list{ending}"
    write_positions(path, THREE)
    back = read_positions(path)
    assert [(p.x_um, p.y_um, p.z_um) for p in back.positions] == [(p.x_um, p.y_um, p.z_um) for p in THREE.positions]
    assert [p.name for p in back.positions[:2]] == ["north", "sud, été"]
    assert (back.xy_stage, back.z_stage) == (("XYStage", "ZDrive") if ending == ".pos" else ("", ""))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    positions=st.lists(
        st.builds(
            Position,
            st.floats(-1e6, 1e6),
            st.floats(-1e6, 1e6),
            st.none() | st.floats(-1e5, 1e5),
            st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12),
        ),
        min_size=1,
        max_size=4,
    )
)
@pytest.mark.parametrize("ending", [".pos", ".csv", ".yaml", ".json", ".xml"])
def test_any_list_comes_back(tmp_path: Path, ending: str, positions: list[Position]) -> None:
    path = tmp_path / f"any{ending}"
    write_positions(path, Positions(tuple(positions), "XY", "Z"))
    assert read_positions(path).positions == tuple(positions)


@pytest.mark.parametrize("ending", [".yaml", ".json"])
def test_useq_itself_loads_the_sequence(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"sequence{ending}"
    write_positions(path, THREE)
    sequence = MDASequence.from_file(path)
    assert [(p.x, p.y, p.z) for p in sequence.stage_positions] == [(p.x_um, p.y_um, p.z_um) for p in THREE.positions]
    assert [event.z_pos for event in sequence] == [33.125, None, -4.5]


def test_what_useq_writes_is_read(tmp_path: Path) -> None:
    sequence = MDASequence(stage_positions=[(1, 2, 3), {"x": 4, "y": 5, "name": "b"}], channels=["DAPI"])
    path = _text(tmp_path, "own.yaml", sequence.yaml() or "")
    assert read_positions(path).positions == (Position(1, 2, 3), Position(4, 5, None, "b"))
    path = _text(tmp_path, "own.json", sequence.model_dump_json())
    assert read_positions(path).positions == (Position(1, 2, 3), Position(4, 5, None, "b"))


def test_positions_go_into_an_acquisition_whose_rest_is_kept(tmp_path: Path) -> None:
    old = MDASequence(stage_positions=[(9, 9)], channels=["DAPI"], z_plan={"range": 4, "step": 1})
    template = _text(tmp_path, "old.yaml", old.yaml() or "")
    write_positions(tmp_path / "new.yaml", THREE, into=template)
    new = MDASequence.from_file(tmp_path / "new.yaml")
    assert [channel.config for channel in new.channels] == ["DAPI"]
    first = [event.z_pos for event in new if event.index["p"] == 0]
    assert first == pytest.approx([31.125, 32.125, 33.125, 34.125, 35.125])


@pytest.mark.parametrize("z_plan", [{"top": 4, "bottom": 0, "step": 1}, {"absolute": [1, 2]}])
def test_an_acquisition_at_absolute_heights_is_refused(tmp_path: Path, z_plan: dict[str, object]) -> None:
    template = _text(tmp_path, "old.yaml", yaml.safe_dump({"z_plan": z_plan}))
    with pytest.raises(InputError, match="absolute heights"):
        write_positions(tmp_path / "new.yaml", THREE, into=template)
    assert not (tmp_path / "new.yaml").exists()


def test_a_micro_manager_list_has_the_form_that_version_two_writes(tmp_path: Path) -> None:
    write_positions(tmp_path / "list.pos", THREE)
    content = json.loads((tmp_path / "list.pos").read_text(encoding="utf-8"))
    assert {key: content[key] for key in ("encoding", "format", "major_version", "minor_version")} == {
        "encoding": "UTF-8",
        "format": "Micro-Manager Property Map",
        "major_version": 2,
        "minor_version": 0,
    }
    assert content["map"]["StagePositions"]["type"] == "PROPERTY_MAP"
    first, second, _ = content["map"]["StagePositions"]["array"]
    assert first["DefaultXYStage"] == {"type": "STRING", "scalar": "XYStage"}
    assert first["DefaultZStage"] == {"type": "STRING", "scalar": "ZDrive"}
    assert first["DevicePositions"]["array"] == [
        {"Device": {"type": "STRING", "scalar": "ZDrive"}, "Position_um": {"type": "DOUBLE", "array": [33.125]}},
        {"Device": {"type": "STRING", "scalar": "XYStage"}, "Position_um": {"type": "DOUBLE", "array": [1.5, -2.25]}},
    ]
    assert first["Label"] == {"type": "STRING", "scalar": "north"}
    assert [each["Device"]["scalar"] for each in second["DevicePositions"]["array"]] == ["XYStage"]


_OLD = {
    "VERSION": 3,
    "ID": "Micro-Manager XY-position list",
    "POSITIONS": [
        {
            "GRID_COL": 0,
            "GRID_ROW": 0,
            "DEVICES": [
                {"DEVICE": "ZStage:Z:32", "AXES": 1, "Y": 0, "X": 12.5, "Z": 0},
                {"DEVICE": "XYStage:XY:31", "AXES": 2, "Y": 200.0, "X": 100.0, "Z": 0},
            ],
            "PROPERTIES": {},
            "DEFAULT_Z_STAGE": "ZStage:Z:32",
            "LABEL": "1-Pos_000_000",
            "DEFAULT_XY_STAGE": "XYStage:XY:31",
        }
    ],
}


def test_a_list_of_version_one_four_is_read(tmp_path: Path) -> None:
    found = read_positions(_text(tmp_path, "old.pos", json.dumps(_OLD)))
    assert found == Positions((Position(100.0, 200.0, 12.5, "1-Pos_000_000"),), "XYStage:XY:31", "ZStage:Z:32")
    assert read_positions(_text(tmp_path, "old.json", json.dumps(_OLD))) == found


def test_only_the_default_focus_drive_counts(tmp_path: Path) -> None:
    write_positions(tmp_path / "list.pos", THREE)
    content = json.loads((tmp_path / "list.pos").read_text(encoding="utf-8"))
    content["map"]["StagePositions"]["array"][0]["DevicePositions"]["array"].insert(
        0, {"Device": {"type": "STRING", "scalar": "PFSOffset"}, "Position_um": {"type": "DOUBLE", "array": [99.0]}}
    )
    assert read_positions(_text(tmp_path, "two.pos", json.dumps(content))).positions[0].z_um == 33.125


def test_a_list_of_another_microscope_is_refused_unless_insisted(tmp_path: Path) -> None:
    path = tmp_path / "list.pos"
    write_positions(path, THREE)
    assert read_positions(path, stages=("XYStage", "ZDrive")).places[0] == (1.5, -2.25)
    with pytest.raises(InputError, match="XY stage 'XYStage', and this microscope has 'TIXYDrive'"):
        read_positions(path, stages=("TIXYDrive", "ZDrive"))
    with pytest.raises(InputError, match="focus drive 'ZDrive', and this microscope has none"):
        read_positions(path, stages=("XYStage", ""))
    assert len(read_positions(path, stages=("TIXYDrive", "Other"), insist=True).positions) == 3


def test_a_table_knows_no_stages_and_fits_every_microscope(tmp_path: Path) -> None:
    write_positions(tmp_path / "list.csv", THREE)
    assert len(read_positions(tmp_path / "list.csv", stages=("any", "other")).positions) == 3


def test_a_spreadsheets_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("\ufeffname,x_um,y_um,z_um,comment\r\nA,1,2,,dust\r\nB,3,4,5.5,\r\n".encode())
    assert read_positions(path).positions == (Position(1, 2, None, "A"), Position(3, 4, 5.5, "B"))


def test_ome_metadata_are_valid_and_keep_every_place(tmp_path: Path) -> None:
    write_positions(tmp_path / "list.ome.xml", THREE)
    document = ome_types.from_xml((tmp_path / "list.ome.xml").read_text(encoding="utf-8"))
    assert [image.pixels.planes[0].position_x for image in document.images] == [1.5, 1000.0, 0.0]
    assert document.images[0].stage_label is not None
    assert document.images[0].stage_label.z == 33.125


def test_positions_of_a_tiff_are_those_of_its_middle_planes(tmp_path: Path) -> None:
    metadata = {
        "axes": "ZYX",
        "Plane": {
            "PositionX": [0.01] * 3,
            "PositionXUnit": ["mm"] * 3,
            "PositionY": [20.0] * 3,
            "PositionZ": [4, 5, 6],
        },
    }
    tifffile.imwrite(tmp_path / "stack.ome.tif", np.zeros((3, 8, 8), np.uint8), metadata=metadata)
    (position,) = read_positions(tmp_path / "stack.ome.tif").positions
    assert (position.x_um, position.y_um, position.z_um) == (10.0, 20.0, 5.0)


def test_a_focus_map_is_a_list_of_its_points(tmp_path: Path) -> None:
    points = [FocusPoint(x, y, x / 100) for x in (0.0, 500.0, 1000.0) for y in (0.0, 500.0, 1000.0)]
    points[4] = FocusPoint(500.0, 500.0, None, outcome="empty")
    found = fit_focus_map(points)
    path = _text(tmp_path, "map.json", found.to_json())
    assert len(read_positions(path).positions) == 8
    on_map = Positions.on_map(found)
    assert len(on_map.positions) == 9
    assert on_map.positions[4].z_um == pytest.approx(5.0)
    with pytest.raises(InputError, match="does not cover 1 of 2 places"):
        Positions.on_map(found, [(0.0, 0.0), (9000.0, 0.0)])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.pos", "{}", "neither a property map"),
        ("a.pos", "not json", "cannot be read as a Micro-Manager position list"),
        ("a.pos", '{"format": "Micro-Manager Property Map", "map": {}}', "cannot be read"),
        ("a.pos", json.dumps(_OLD | {"POSITIONS": []}), "holds no position"),
        ("a.pos", json.dumps(_OLD).replace('"AXES": 2', '"AXES": 1'), "no place of their XY stage"),
        ("a.pos", json.dumps(_OLD).replace("100.0", "NaN"), "NaN, which is no number"),
        ("a.csv", "x,y\n1,2\n", "no table of positions"),
        ("a.csv", "x_um,y_um\n1,inf\n", "not all of them"),
        ("a.csv", "x_um,y_um\n", "0 rows"),
        ("a.yaml", "channels: [DAPI]", "without stage_positions"),
        ("a.yaml", "- 1\n- 2", "holds no sequence"),
        ("a.yaml", "a: [", "cannot be read as a useq sequence"),
        ("a.yaml", "stage_positions: [{x: 1}]", "position 0 lacks a number for x or y"),
        ("a.yaml", "stage_positions: {plate: 96}", "well plate"),
        ("a.json", "[1, 2]", "holds no sequence"),
        ("a.xml", "<OME/>", "0 of 0 images"),
        ("a.xml", '<OME><Image Name="i"><Pixels/></Image></OME>', "1 of 1 images do not say"),
        ("a.xml", "<OME", "cannot be read as OME-XML"),
        ("a.tif", "no tiff", "cannot be read as an OME-TIFF"),
        ("a.docx", "", "no list of positions"),
    ],
)
def test_what_holds_no_positions_is_refused_in_a_sentence(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = _text(tmp_path, name, text)
    with pytest.raises(InputError, match=says):
        read_positions(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("a.pos", "a.csv", "a.yaml", "a.json", "a.xml", "a.tif"):
        with pytest.raises(InputError, match=rf"{name}"):
            read_positions(tmp_path / name)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names its XY stage and focus drive"):
        write_positions(tmp_path / "a.pos", Positions(THREE.positions))
    with pytest.raises(InputError, match="end it in"):
        write_positions(tmp_path / "a.txt", THREE)
    with pytest.raises(InputError, match="no position to write"):
        write_positions(tmp_path / "a.csv", Positions(()))
    assert list(tmp_path.iterdir()) == []
