"""Models of two shots of one's own stacks: pairs of planes teach them, and a base without pairs is refused."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import torch
from torch import nn

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.selection import SelectionSettings
from napari_autofocus.focus.estimate import DecisionSettings, ImageOptics
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings
from napari_autofocus.models.networks import network_card
from napari_autofocus.models.package import CardOptics, ModelCard, ModelPackage, TrainingRecord
from napari_autofocus.models.package.writing import write_package
from napari_autofocus.models.pair_predictor import load_pair_model
from napari_autofocus.models.teaching import StageProgress
from napari_autofocus.workflows.own_models import OwnModel, train_own
from napari_autofocus.workflows.own_plan import OwnSettings
from own_folders import FACTS, texture_stack, write_stacks

OBJECTIVE = FACTS["objective"].with_pixel_size(0.325)


def base(path: Path, *, dz_um: float = 2.0) -> ModelPackage:
    """A model of two shots that knows nothing yet; its stage one finds everything important."""
    torch.manual_seed(0)
    looking = ImportanceNetwork(ImportanceSettings(patch_px=64, stride_px=32, reduction=4))
    with torch.no_grad():
        looking.score.bias.fill_(4.0)
    settings = DefocusSettings(backbone="mobilenet_v2", width=0.25, normalisation="channel", reach_um=6.0)
    judging = DefocusNetwork(settings)
    last = [layer for layer in judging.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.no_grad():
        last.bias[:] = -judging.readout.centres.abs()  # in focus, rather than a tie between all bins
    card = ModelCard(
        name="blank-pair",
        description="Knows nothing.",
        kind="two-shot",
        dz_um=dz_um,
        optics=CardOptics.of(OBJECTIVE, "mono" if settings.channels == 1 else "rgb"),
        patch_px=64,
        stride_px=32,
        reduction=4,
        selection=SelectionSettings(),
        decision=DecisionSettings(dof_um=1.0, range_um=5.0),
        defocus_network=network_card(judging),
        importance_network=network_card(looking),
        training=TrainingRecord(seed=0, minutes=0, finished=datetime.date(2026, 1, 1), code_version="0"),
    )
    return write_package(path, card, defocus=judging.eval(), importance=looking.eval())


def test_pairs_of_planes_teach_a_model_of_two_shots(tmp_path: Path) -> None:
    begun = base(tmp_path / "blank-pair.zip")
    folder, target = write_stacks(tmp_path / "stacks", 6), tmp_path / "mine.zip"
    work, stages = train_own(folder, target, OwnSettings(samples=64, base=str(begun.path))), set()
    while True:
        try:
            step = next(work)
        except StopIteration as finished:
            made: OwnModel = finished.value
            break
        if isinstance(step, StageProgress):
            stages.add(step.stage)
    assert stages == {"defocus"}  # what is worth reading stays as it was

    model = load_pair_model(target)
    assert (model.card.dz_um, model.card.patch_px) == (2.0, 64)
    assert "Two frames 2 µm apart" in model.card.description
    assert made.package.members["importance.safetensors"] == begun.members["importance.safetensors"]
    assert made.package.members["defocus.safetensors"] != begun.members["defocus.safetensors"]
    assert made.held_out.dz_um == pytest.approx((2.0, 2.0))
    stack = texture_stack(4.0, seed=99)
    estimate = model.estimate_pair(stack.plane(2), stack.plane(4), dz_um=2.0, optics=ImageOptics(OBJECTIVE))
    assert estimate.model == "mine"


def test_stacks_whose_planes_make_no_pairs_teach_nothing(tmp_path: Path) -> None:
    begun = base(tmp_path / "blank-pair.zip", dz_um=2.5)
    folder = write_stacks(tmp_path / "stacks", 3)
    with pytest.raises(InputError, match=r"learns from planes 2\.5 µm apart; only 0 of the 3 stacks"):
        list(train_own(folder, tmp_path / "mine.zip", OwnSettings(samples=64, base=str(begun.path))))
