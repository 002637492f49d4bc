"""Both stages as one: what patches weigh, that slopes reach the importance, and that use agrees with teaching."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.pooling import pool
from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.settings import DecisionSettings
from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.field.network import FieldNetwork, SoftChoice
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings

LOOKING = ImportanceSettings(reduction=8, patch_px=32, stride_px=16, widths=(4,))
JUDGING = DefocusSettings(width=0.25, dropout=0.0)


def _network(**choice: object) -> FieldNetwork:
    torch.manual_seed(1)
    return FieldNetwork(
        ImportanceNetwork(LOOKING),
        DefocusNetwork(JUDGING),
        dof_um=1.0,
        choice=SoftChoice(**choice),  # type: ignore[arg-type]
    )


def _shown(fields: int = 2, patches: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(2)
    overviews = torch.rand(fields, 3, 16, 16, generator=drawn)
    cut = torch.rand(fields, patches, 3, 32, 32, generator=drawn)
    places = torch.arange(patches).repeat(fields, 1) * 7
    return overviews, cut, places, torch.ones(fields, patches, dtype=torch.bool)


def _weights(scores: list[float], sigma_um: list[float], **choice: object) -> np.ndarray:
    offered = torch.ones(1, len(scores), dtype=torch.bool)
    found = _network(**choice)._weights(torch.tensor([scores]), torch.tensor([sigma_um]), offered)
    return found[0].numpy()


def _score(importance: float) -> float:
    return float(np.log(importance / (1 - importance)))


def test_both_stages_say_what_they_say_alone() -> None:
    network = _network().eval()
    overviews, patches, places, offered = _shown()
    with torch.inference_mode():
        found = network(overviews, patches, places, offered)
        alone = network.defocus(patches.flatten(0, 1))[:, 0].reshape(2, 3)
        importance = network.importance(overviews)[:, 0]
    torch.testing.assert_close(found.defocus_um, alone)
    torch.testing.assert_close(found.scores.sigmoid(), importance)
    torch.testing.assert_close(found.weights.sum(dim=1), torch.ones(2))


def test_the_fields_error_has_a_slope_at_the_importance_of_its_patches() -> None:
    network = _network().train()
    found = network(*_shown())
    (found.weights * found.defocus_um).sum().backward()
    for stage in (network.importance, network.defocus):
        slopes = [float(p.grad.abs().sum()) for p in stage.parameters() if p.grad is not None]
        assert sum(slopes) > 0


def test_patches_far_above_the_threshold_count_alike_and_those_below_hardly() -> None:
    weights = _weights([_score(0.95), _score(0.9), _score(0.05)], [0.5, 0.1, 0.1], weighted=False, softness=0.3)
    assert weights[0] == pytest.approx(weights[1], rel=0.03)
    assert weights[2] < 0.01


def test_the_head_weighs_as_use_does() -> None:
    """Far above the threshold the weights are those of ``weighted_mean``: importance over variance."""
    importance, sigma_um, defocus = [0.9, 0.8, 0.95], [0.2, 0.4, 0.02], [1.0, 2.0, 3.0]
    weights = _weights([_score(each) for each in importance], sigma_um, softness=0.05)
    patches = [
        PatchPrediction(0, 0, 32, *told, 0.9) for told in zip(importance, [True] * 3, defocus, sigma_um, strict=True)
    ]
    decision = DecisionSettings(dof_um=1.0, range_um=10.0, pooling="weighted_mean")
    reading = Reading.of(patches, decision, (128, 128), None)
    assert reading is not None
    np.testing.assert_allclose(weights, reading.weight / reading.weight.sum(), rtol=1e-3)
    expected = pool(reading.defocus_um, reading.weight, "weighted_mean", decision.dof_um)
    assert float(weights @ np.array(defocus)) == pytest.approx(expected, rel=1e-3)


def test_a_patch_that_is_not_offered_weighs_nothing() -> None:
    network = _network().eval()
    overviews, patches, places, offered = _shown()
    offered[:, 1] = False
    with torch.inference_mode():
        weights = network(overviews, patches, places, offered).weights
    assert (weights[:, 1] == 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))


def test_a_field_of_poor_patches_has_weights_and_slopes_all_the_same() -> None:
    scores = torch.full((1, 3), -40.0, requires_grad=True)
    weights = _network()._weights(scores, torch.full((1, 3), 5.0), torch.ones(1, 3, dtype=torch.bool))
    (weights * torch.tensor([[1.0, 2.0, 3.0]])).sum().backward()
    assert torch.isfinite(weights).all()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    assert float(scores.grad.abs().max()) > 0


def test_statistics_of_the_normalisation_stay_as_they_came() -> None:
    network = _network().train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(*_shown())
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    assert not any(module.training for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert network.defocus.training


def test_stages_for_other_cameras_do_not_fit() -> None:
    with pytest.raises(InputError, match="1 and 3 channels"):
        FieldNetwork(ImportanceNetwork(ImportanceSettings(channels=1)), DefocusNetwork(JUDGING), dof_um=1.0)


@pytest.mark.parametrize("wrong", [{"least_importance": 0.0}, {"least_importance": 1.0}, {"softness": 0.0}])
def test_a_choice_outside_its_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        SoftChoice(**wrong)  # type: ignore[arg-type]
