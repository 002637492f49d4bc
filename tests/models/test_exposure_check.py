"""Too bright and too dark frames are told of, in few words that do not change from frame to frame."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_autofocus.models.package import ModelCard, TrainingRecord
from napari_autofocus.models.predictor import load_model
from napari_autofocus.models.seeing.exposure_check import check_exposure
from napari_autofocus.models.seeing.frame import ModelFrame
from napari_autofocus.simulation import Scene
from tiny_models import OPTICS, flat_frame, tiny_card, write_tiny

SIMULATED = TrainingRecord(
    seed=7,
    minutes=1.5,
    finished=datetime.date(2026, 1, 2),
    code_version="0.1.0",
    details={"simulated_fields": 1296},
)


def warned(image: npt.NDArray[Any], *, bit_depth: int | None = None, **changes: Any) -> tuple[str, ...]:
    return check_exposure(tiny_card(**{"training": SIMULATED, **changes}), ModelFrame.of(image, bit_depth=bit_depth))


def lit(share: float, level: float = 1.0, dtype: type = np.uint8, top: float | None = None) -> npt.NDArray[Any]:
    """A frame of 60 % light, of which that share of the rows is at another level, in all colours."""
    full = top if top is not None else 1.0 if np.dtype(dtype).kind == "f" else float(np.iinfo(dtype).max)
    frame = np.full((200, 200, 3), 0.6 * full)
    frame[: round(200 * share)] = level * full
    return frame.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_well_exposed_frames_are_not_spoken_of(dtype: type) -> None:
    assert warned(lit(0.5, 0.98, dtype)) == ()


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.005, ()), (0.02, ("More than 1 %",)), (0.2, ("More than 10 %",)), (0.9, ("More than half",))],
)
def test_clipping_is_told_in_steps(share: float, words: tuple[str, ...]) -> None:
    found = warned(lit(share))
    assert len(found) == len(words)
    assert all(each.startswith(word) for each, word in zip(found, words, strict=True))


def test_one_clipped_colour_is_enough() -> None:
    frame = lit(0.0)
    frame[:100, :, 0] = 255
    assert warned(frame)[0].startswith("More than 10 %")


@pytest.mark.parametrize(("bits", "stated"), [(12, None), (12, 12), (14, None), (16, None)])
def test_a_deep_camera_clips_at_its_own_full_scale(bits: int, stated: int | None) -> None:
    frame = lit(0.3, dtype=np.uint16, top=2.0**bits - 1)
    assert "full scale" in warned(frame, bit_depth=stated)[0]


def test_dark_frames_of_stained_slides_are_told_of() -> None:
    assert "Expose longer." in warned(lit(0.0) // 2)[0]
    assert "bit depth" in warned(lit(0.0, dtype=np.uint16, top=4095))[0]


@pytest.mark.parametrize(
    "changes",
    [{"stains": ("fluorescence",)}, {"stains": ()}, {"colour": "mono"}, {"training": tiny_card().training}],
    ids=["fluorescence", "no stain known", "grey camera", "taught on own slides"],
)
def test_nobody_knows_how_bright_other_models_want_their_frames(changes: dict[str, Any]) -> None:
    assert warned(lit(0.0) // 20, **changes) == ()


@pytest.mark.parametrize("stain", ["he", "ihc", "cytology", "blood"])
def test_dense_sections_at_the_usual_exposure_are_neither(stain: str) -> None:
    scene = Scene.build(stain, "dense", seed=3, shape=(256, 256))
    rng = np.random.default_rng(0)
    usual, short, long = (scene.snap(0.0, 0.0, 6.0, exposure_ms=ms, rng=rng) for ms in (10.0, 4.0, 20.0))
    assert warned(usual) == ()
    assert "dark" in warned(short)[0]
    assert "full scale" in warned(long)[0]


def test_an_answer_carries_the_warning_and_stays(tmp_path: Path) -> None:
    write_tiny(tmp_path / "model.zip", training=SIMULATED)
    predictor = load_model(tmp_path / "model.zip")
    assert isinstance(predictor.card, ModelCard)
    dark, fine = predictor.estimate(flat_frame(0.4), optics=OPTICS), predictor.estimate(flat_frame(0.6), optics=OPTICS)
    assert dark.trusted
    assert dark.defocus_um == pytest.approx(-2.0, abs=0.02)
    assert "The frame is dark" in dark.warnings[0]
    assert fine.warnings == ()
