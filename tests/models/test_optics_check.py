"""Which optics a model accepts, and what is said about the others."""

from __future__ import annotations

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.seeing.optics_check import check_optics, differences
from napari_autofocus.optics import Objective
from tiny_models import OBJECTIVE, OPTICS, tiny_card

CARD = tiny_card()


def _optics(
    magnification: float = 20, na: float = 0.75, immersion: str = "air", pixel_um: float = 0.325
) -> ImageOptics:
    return ImageOptics(Objective(magnification, na, immersion).with_pixel_size(pixel_um))


def test_the_models_own_optics_are_accepted() -> None:
    assert check_optics(CARD, OPTICS, "rgb") == ()


@pytest.mark.parametrize(
    "optics",
    [
        _optics(na=0.75 * 1.049),
        _optics(na=0.75 / 1.049),
        _optics(pixel_um=0.325 * 1.05),
        _optics(pixel_um=0.33),
        _optics(magnification=20.1),
    ],
)
def test_small_differences_are_accepted(optics: ImageOptics) -> None:
    assert check_optics(CARD, optics, "rgb") == ()


@pytest.mark.parametrize(
    ("optics", "said"),
    [
        (_optics(magnification=40), "The frame's magnification is 40x; the model was made for 20x."),
        (_optics(na=0.5), "The frame's NA is 0.5; the model was made for 0.75."),
        (_optics(na=0.8), "The frame's NA is 0.8; the model was made for 0.75."),
        (_optics(immersion="oil"), "The frame's immersion is oil; the model was made for air."),
        (_optics(pixel_um=0.65), "The frame's pixel size is 0.65 µm; the model was made for 0.325 µm."),
    ],
)
def test_each_difference_is_spelled_out(optics: ImageOptics, said: str) -> None:
    assert differences(CARD.optics, optics, "rgb") == (said,)


def test_a_refusal_names_every_difference_and_the_way_out() -> None:
    with pytest.raises(InputError) as error:
        check_optics(CARD, _optics(40, 0.95, pixel_um=0.16), "mono")
    for words in (
        "magnification is 40x",
        "NA is 0.95",
        "pixel size is 0.16 µm",
        "a grey image",
        "insist=True, --insist",
    ):
        assert words in str(error.value)
    assert str(error.value).startswith("The model tiny-20x refuses this frame. ")


@pytest.mark.parametrize("optics", [None, ImageOptics(), ImageOptics(None)])
def test_unknown_optics_are_refused(optics: ImageOptics | None) -> None:
    with pytest.raises(InputError, match="The optics of the frame are unknown"):
        check_optics(CARD, optics, "rgb")


def test_who_insists_is_warned_of_all_of_it() -> None:
    warnings = check_optics(CARD, ImageOptics(OBJECTIVE.with_pixel_size(1.0)), "mono", insist=True)
    assert [("pixel size" in text, "grey image" in text) for text in warnings] == [(True, False), (False, True)]


def test_where_only_the_colour_differs_another_camera_or_model_is_the_way_out() -> None:
    with pytest.raises(InputError) as error:
        check_optics(CARD, OPTICS, "mono")
    assert "grey image" in str(error.value)
    assert "Use a model made for grey images" in str(error.value)
    assert "a colour camera" in str(error.value)
    assert "--objective" not in str(error.value)
