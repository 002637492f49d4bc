"""The Defocus Prediction Network: what its distributions are read as, and what its loss wants of them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_autofocus.errors import InputError
from napari_autofocus.models.defocus import (
    DefocusLoss,
    DefocusNetwork,
    DefocusReadout,
    DefocusSettings,
    PatchNormalisation,
)

SETTINGS = DefocusSettings()
CENTRES = (torch.arange(SETTINGS.bins) - SETTINGS.bins // 2) * SETTINGS.bin_um
NOWHERE = -30.0


def _modes(*modes: tuple[float, float], width_um: float = 0.3) -> Tensor:
    """Logits of a mixture of Gaussians, each (place µm, weight); shape (1, bins)."""
    density = sum(weight * torch.exp(-(((CENTRES - place) / width_um) ** 2) / 2) for place, weight in modes)
    assert isinstance(density, Tensor)
    return (density + math.exp(NOWHERE)).log()[None]


def _read(logits: Tensor) -> tuple[float, float, float]:
    """Defocus, uncertainty and probability of the positive side."""
    defocus, sigma, positive = DefocusReadout(SETTINGS)(logits)[0].tolist()
    return defocus, sigma, positive


# --- Readout ----------------------------------------------------------------------------------------------------------


def test_the_bins_are_centred_on_focus_and_reach_as_far_as_stated() -> None:
    assert SETTINGS.bins == 101
    torch.testing.assert_close(DefocusReadout(SETTINGS).centres, CENTRES)
    assert CENTRES[[0, 50, -1]].tolist() == [-12.5, 0, 12.5]


@given(st.floats(-11, 11), st.floats(0.2, 0.45))
@settings(max_examples=60, deadline=None)
def test_a_single_mode_is_read_as_its_place_its_width_and_its_side(place: float, width: float) -> None:
    defocus, sigma, positive = _read(_modes((place, 1.0), width_um=width))
    assert defocus == pytest.approx(place, abs=0.01)
    assert sigma == pytest.approx(width, abs=0.03)
    assert positive == pytest.approx(0.5 + math.erf(place / width / math.sqrt(2)) / 2, abs=0.06)


def test_two_mirrored_modes_are_read_as_one_of_them_and_no_side() -> None:
    """Their mean, focus, is what even optics never mean."""
    defocus, sigma, positive = _read(_modes((4.0, 1.0), (-4.0, 1.0)))
    assert abs(defocus) == pytest.approx(4.0, abs=0.01)
    assert sigma == pytest.approx(0.3, abs=0.02)
    assert positive == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("side", [1, -1])
def test_the_heavier_of_two_modes_is_read_and_the_lighter_one_shows_in_the_side(side: int) -> None:
    defocus, _, positive = _read(_modes((4.0 * side, 0.7), (-4.0 * side, 0.3)))
    assert defocus == pytest.approx(4.0 * side, abs=0.01)
    assert positive == pytest.approx(0.7 if side > 0 else 0.3, abs=1e-3)


def test_a_broad_mode_outweighs_a_higher_narrow_one() -> None:
    broad, narrow = _modes((5.0, 1.0), width_um=0.5).exp(), _modes((-5.0, 1.3), width_um=0.1).exp()
    defocus, _, _ = _read((broad + narrow).log())
    assert defocus == pytest.approx(5.0, abs=0.02)


def test_a_mode_at_focus_has_no_side() -> None:
    defocus, sigma, positive = _read(_modes((0.0, 1.0)))
    assert defocus == pytest.approx(0, abs=1e-5)
    assert sigma == pytest.approx(0.3, abs=0.01)
    assert positive == pytest.approx(0.5, abs=1e-5)


def test_certainty_at_focus_is_no_side_either() -> None:
    logits = torch.full((1, SETTINGS.bins), NOWHERE)
    logits[0, SETTINGS.bins // 2] = 0
    assert _read(logits) == pytest.approx((0, 0, 0.5), abs=1e-4)


@pytest.mark.parametrize("bin_number", [0, 1, 49, 51, 99, 100])
def test_a_spike_is_read_exactly_up_to_the_ends(bin_number: int) -> None:
    logits = torch.full((1, SETTINGS.bins), NOWHERE)
    logits[0, bin_number] = 0
    defocus, sigma, positive = _read(logits)
    assert defocus == pytest.approx(float(CENTRES[bin_number]), abs=1e-4)
    assert sigma < 0.01
    assert positive == pytest.approx(float(CENTRES[bin_number] > 0), abs=1e-4)


def test_knowing_nothing_has_no_side() -> None:
    defocus, sigma, positive = _read(torch.zeros(1, SETTINGS.bins))
    assert math.isfinite(defocus)
    assert sigma > 0.6
    assert positive == pytest.approx(0.5, abs=1e-5)


def test_patches_do_not_mind_each_other() -> None:
    both = torch.cat([_modes((3.0, 1.0)), _modes((-6.0, 1.0))])
    found = DefocusReadout(SETTINGS)(both)
    torch.testing.assert_close(found[:1], DefocusReadout(SETTINGS)(both[:1]))
    torch.testing.assert_close(found[1:], DefocusReadout(SETTINGS)(both[1:]))


def test_mirrored_distributions_are_read_as_mirrored_defocus() -> None:
    logits = _modes((2.3, 0.8), (-7.0, 0.2))
    defocus, sigma, positive = _read(logits)
    assert _read(logits.flip(1)) == pytest.approx((-defocus, sigma, 1 - positive), abs=1e-5)


# --- Loss -------------------------------------------------------------------------------------------------------------


def _loss(logits: Tensor, truth_um: float, signed: bool) -> float:
    return float(DefocusLoss(SETTINGS)(logits, torch.tensor([truth_um]), torch.tensor([signed])))


def test_the_loss_is_least_at_the_truth() -> None:
    losses = [_loss(_modes((place, 1.0), width_um=0.25), 3.0, True) for place in (3.0, 2.5, 3.5, 0.0, -3.0, 6.0)]
    assert losses[0] == min(losses)
    assert losses[0] < losses[1] < losses[3]


def test_certainty_on_the_wrong_side_costs_more_than_admitting_both() -> None:
    wrong, both, right = (
        _loss(_modes(*modes, width_um=0.25), 3.0, True)
        for modes in ([(-3.0, 1.0)], [(-3.0, 0.5), (3.0, 0.5)], [(3.0, 1.0)])
    )
    assert right < both < wrong


@pytest.mark.parametrize("truth_um", [4.0, -4.0])
def test_under_even_optics_both_sides_are_the_target(truth_um: float) -> None:
    both, one, none = (
        _loss(_modes(*modes, width_um=0.25), truth_um, False)
        for modes in ([(-4.0, 0.5), (4.0, 0.5)], [(truth_um, 1.0)], [(0.0, 1.0)])
    )
    assert both < one < none
    target = -math.log(0.5) + _loss(_modes((truth_um, 1.0), width_um=0.25), truth_um, True)
    assert both == pytest.approx(target, abs=0.02)  # one bit more of doubt than with a side


def test_under_even_optics_the_side_of_the_label_does_not_count() -> None:
    logits = torch.randn(1, SETTINGS.bins, generator=torch.Generator().manual_seed(0))
    assert _loss(logits, 4.2, False) == pytest.approx(_loss(logits, -4.2, False), rel=1e-6)
    assert _loss(logits, 4.2, True) != pytest.approx(_loss(logits, -4.2, True), rel=1e-3)


def test_at_focus_even_optics_are_like_any() -> None:
    logits = _modes((0.0, 1.0), width_um=0.25)
    assert _loss(logits, 0.0, False) == pytest.approx(_loss(logits, 0.0, True), abs=1e-4)


def test_truths_beyond_the_reach_pull_towards_its_end() -> None:
    at_end, at_focus = (_loss(_modes((place, 1.0)), 14.0, True) for place in (12.5, 0.0))
    assert math.isfinite(at_end)
    assert at_end < at_focus


def test_the_loss_of_a_batch_is_the_mean_of_its_patches() -> None:
    logits = torch.randn(3, SETTINGS.bins, generator=torch.Generator().manual_seed(1))
    truth, signed = torch.tensor([1.0, -8.0, 3.0]), torch.tensor([True, False, True])
    each = [_loss(logits[i : i + 1], float(truth[i]), bool(signed[i])) for i in range(3)]
    assert float(DefocusLoss(SETTINGS)(logits, truth, signed)) == pytest.approx(sum(each) / 3, rel=1e-5)


@pytest.mark.parametrize("signed", [True, False])
def test_following_the_gradient_leads_to_the_truth(signed: bool) -> None:
    """Free logits under plain descent end at the distribution that the loss wants."""
    logits = torch.zeros(1, SETTINGS.bins, requires_grad=True)
    loss, descent = DefocusLoss(SETTINGS), torch.optim.Adam([logits], lr=0.4)
    for _ in range(120):
        descent.zero_grad()
        loss(logits, torch.tensor([-5.1]), torch.tensor([signed])).backward()
        descent.step()
    defocus, _, positive = _read(logits.detach())
    assert abs(defocus) == pytest.approx(5.1, abs=0.05)
    assert positive == pytest.approx(0.0 if signed else 0.5, abs=0.02)


def test_gradients_reach_every_weight_of_the_network() -> None:
    torch.manual_seed(0)
    network = DefocusNetwork(DefocusSettings(dropout=0.0)).train()
    patches, truth = torch.rand(6, 3, 64, 64), torch.linspace(-8, 8, 6)
    signed = torch.tensor([True, False] * 3)
    DefocusLoss(network.settings)(network.logits(patches), truth, signed).backward()
    still = [n for n, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert still == []
    assert any(float(p.grad.abs().max()) > 0 for p in network.backbone.parameters() if p.grad is not None)


# --- Normalisation ----------------------------------------------------------------------------------------------------


def _patches() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    smooth = torch.nn.functional.avg_pool2d(torch.rand(4, 3, 68, 68, generator=generator), 5, stride=1)
    return 0.4 + 0.8 * (smooth - 0.5)


def test_brightness_added_to_a_colour_does_not_count() -> None:
    normalise, patches = PatchNormalisation(), _patches()
    offset = torch.tensor([0.1, -0.2, 0.05]).view(1, 3, 1, 1)
    torch.testing.assert_close(normalise(patches + offset), normalise(patches), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("factor", [0.8, 1.15])
def test_exposure_hardly_counts(factor: float) -> None:
    """But for the floor: r/(r + 0.01) of a patch whose contrast is r."""
    normalise, patches = PatchNormalisation(), _patches()
    contrast = (patches - patches.mean(dim=(2, 3), keepdim=True)).square().mean(dim=(1, 2, 3)).sqrt()
    expected = (factor * (contrast + 0.01) / (factor * contrast + 0.01)).view(-1, 1, 1, 1)
    torch.testing.assert_close(normalise(factor * patches), expected * normalise(patches), atol=1e-5, rtol=1e-4)
    assert float((expected - 1).abs().max()) < 0.05


def test_noise_alone_is_not_blown_up() -> None:
    noise = 0.5 + 0.003 * torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert float(PatchNormalisation()(noise).std()) < 0.3
    assert float(PatchNormalisation()(_patches()).std()) > 0.8


def test_a_patch_of_one_colour_gives_numbers() -> None:
    network = DefocusNetwork().eval()
    with torch.inference_mode():
        assert torch.isfinite(network(torch.full((2, 3, 64, 64), 0.7))).all()


def test_the_network_answers_each_patch_with_three_numbers_whatever_its_brightness() -> None:
    torch.manual_seed(0)
    network = DefocusNetwork().eval()
    patches = _patches()
    with torch.inference_mode():
        found, brighter = network(patches), network(patches + 0.1)
    assert found.shape == (4, 3)
    assert (found[:, 1] >= 0).all()
    assert ((found[:, 2] >= 0) & (found[:, 2] <= 1)).all()
    torch.testing.assert_close(found, brighter, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("bin_um", "window_um", "reach_um"), [(0.0, 1, 10), (2.0, 1, 10), (0.25, 10, 10), (-1, 1, 10)])
def test_bins_window_and_reach_must_fit_into_each_other(bin_um: float, window_um: float, reach_um: float) -> None:
    with pytest.raises(InputError, match="Bins must be narrower than the window, and the window than the reach"):
        DefocusSettings(bin_um=bin_um, window_um=window_um, reach_um=reach_um)
