"""A network that says the same of other lengths, or of the other side of focus."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_autofocus.errors import InputError
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.networks import rescaled

SETTINGS = DefocusSettings(reach_um=6.0, bin_um=0.5, window_um=1.5)


@pytest.fixture(scope="module")
def network() -> DefocusNetwork:
    torch.manual_seed(4)
    made = DefocusNetwork(SETTINGS).eval()
    with torch.no_grad():  # a network that was never taught finds all bins equally likely
        [layer for layer in made.modules() if isinstance(layer, torch.nn.Linear)][-1].bias.copy_(
            torch.linspace(-3, 3, 25) + torch.randn(25)
        )
    return made


@pytest.fixture(scope="module")
def patches() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def asked(network: DefocusNetwork, patches: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network.eval()(patches)


def test_every_length_grows_by_the_same_factor(network: DefocusNetwork, patches: torch.Tensor) -> None:
    longer = replace(SETTINGS, reach_um=18.0, bin_um=1.5, window_um=4.5)
    before, after = asked(network, patches), asked(rescaled(network, longer), patches)
    torch.testing.assert_close(after[:, :2], 3 * before[:, :2])
    torch.testing.assert_close(after[:, 2], before[:, 2])
    assert before[:, 0].abs().max() > 0.1


def test_exchanged_sides_turn_the_sign_of_every_answer(network: DefocusNetwork, patches: torch.Tensor) -> None:
    before, after = asked(network, patches), asked(rescaled(network, SETTINGS, mirrored=True), patches)
    torch.testing.assert_close(after[:, 0], -before[:, 0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after[:, 1], before[:, 1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after[:, 2], 1 - before[:, 2], atol=1e-5, rtol=1e-4)


def test_the_network_itself_stays_as_it_was(network: DefocusNetwork, patches: torch.Tensor) -> None:
    before = asked(network, patches)
    rescaled(network, SETTINGS, mirrored=True)
    torch.testing.assert_close(asked(network, patches), before)


def test_another_number_of_bins_is_refused(network: DefocusNetwork) -> None:
    with pytest.raises(InputError, match="25 bins cannot stand for 49 bins"):
        rescaled(network, replace(SETTINGS, bin_um=0.25))


def test_a_network_for_colour_answers_to_grey_images_as_to_three_equal_colours() -> None:
    network = DefocusNetwork(SETTINGS).eval()
    grey = torch.rand(3, 1, 64, 64)
    alone = rescaled(network, replace(SETTINGS, channels=1)).eval()
    with torch.inference_mode():
        assert torch.allclose(alone(grey), network(grey.expand(-1, 3, -1, -1)), atol=1e-3)
