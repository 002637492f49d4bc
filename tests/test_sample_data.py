"""The sample stacks: small, complete, described, and teaching what they are said to teach."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_autofocus import load_pair_model, sample_data
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.zstack import FocusSettings, StackFocus, judge_stack
from napari_autofocus.io import open_stack
from napari_autofocus.io.frames import open_frame
from napari_autofocus.io.napari import METADATA_KEY, LayerData

FOLDER = Path(__file__).parents[1] / "sample_data"
SAMPLES: dict[str, Callable[[], list[LayerData]]] = {
    "he_dense": sample_data.he_dense,
    "he_tilted": sample_data.he_tilted,
    "cytology_sparse": sample_data.cytology_sparse,
    "cytology_extremely_sparse": sample_data.cytology_extremely_sparse,
    "unstained_cells": sample_data.unstained_cells,
}


SHOTS = ("he_two_shots_above", "he_two_shots_below")


def truth_um(name: str) -> float:
    with (FOLDER / "labels.csv").open(encoding="utf-8") as file:
        return next(float(row["best_z_um"]) for row in csv.DictReader(file) if row["path"] == f"{name}.ome.tif")


def measured(name: str) -> StackFocus:
    return judge_stack(open_stack(FOLDER / f"{name}.ome.tif"), FocusSettings(patch_px=64))


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_one_image_layer_in_micrometres(name: str) -> None:
    (data, attributes, kind), *others = SAMPLES[name]()
    about = attributes["metadata"][METADATA_KEY]
    assert (kind, others) == ("image", [])
    assert attributes["units"] == ("um", "um", "um")
    assert attributes["scale"][1] == pytest.approx(about["pixel_size_um"])
    assert len(about["z_um"]) == data.shape[0] >= 13
    assert np.asarray(data[0]).std() > 1


@pytest.mark.parametrize("name", SAMPLES)
def test_label_of_each_sample_is_its_truth(name: str) -> None:
    focus = measured(name)
    assert focus.field.trusted
    assert focus.field.best_z_um == pytest.approx(truth_um(name), abs=0.2)
    assert focus.field.verdict == ("phase_minimum" if name == "unstained_cells" else "peak")


def test_patches_of_the_tilted_slide_follow_its_tilt() -> None:
    patches = measured("he_tilted").trusted_patches
    middle = np.array([(p.x + p.size / 2, p.y + p.size / 2, 1) for p in patches]) * (0.325e-3, 0.325e-3, 1)
    best_um = np.array([p.best_z_um for p in patches])
    slope_um_per_mm = np.linalg.lstsq(middle, best_um, rcond=None)[0][:2]
    # A sheet that stands higher is in focus at a lower z.
    np.testing.assert_allclose(slope_um_per_mm, (-24, 18), atol=4)


def test_only_patches_with_the_cell_are_trusted_on_an_empty_slide() -> None:
    focus = measured("cytology_extremely_sparse")
    assert 1 <= len(focus.trusted_patches) <= 6
    assert focus.best_z_from_patches_um == pytest.approx(truth_um("cytology_extremely_sparse"), abs=0.2)


def test_two_shots_are_one_layer_either_side_of_focus() -> None:
    [(data, attributes, kind)] = sample_data.two_shots()
    assert (kind, data.shape) == ("image", (2, 384, 512, 3))
    assert attributes["scale"] == pytest.approx((2.0, 0.325, 0.325))
    assert attributes["translate"][0] == -1.0
    assert attributes["units"] == ("um", "um", "um")


def test_the_two_shots_tell_what_their_name_says() -> None:
    below, above = (open_frame(sample_data.sample_path(name)) for name in ("he_two_shots_below", "he_two_shots_above"))
    assert above.objective is not None
    found = load_pair_model("two-shot-20x").estimate_pair(
        below.image, above.image, dz_um=above.z_um - below.z_um, optics=ImageOptics(above.objective)
    )
    assert found.trusted
    assert found.defocus_um == pytest.approx(1.0 - 0.041, abs=0.25)


def test_samples_are_small_and_described() -> None:
    files = sorted(FOLDER.glob("*.ome.tif"))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [file.name for file in files] == sorted(f"{name}.ome.tif" for name in (*SAMPLES, *SHOTS))
    assert all(file.name in readme and file.stat().st_size < 2.5e6 for file in files)
    assert all(f"| {truth_um(name):.3f} |" in readme for name in SAMPLES)
    assert sum(file.stat().st_size for file in files) < 10e6


def test_a_missing_sample_is_told_in_a_sentence() -> None:
    with pytest.raises(InputError, match="came without the sample"):
        sample_data.sample_path("nothing")


def test_an_installed_package_brings_its_own_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "napari_autofocus_manifest" / "sample_data"
    folder.mkdir(parents=True)
    (folder / "he_dense.ome.tif").write_bytes(b"")
    monkeypatch.setattr(sample_data, "_CHECKOUT", tmp_path / "nowhere")
    monkeypatch.syspath_prepend(tmp_path)
    assert sample_data.sample_path("he_dense") == folder / "he_dense.ome.tif"
