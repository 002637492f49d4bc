"""The virtual refocusing networks: what holds for any weights, and for weights that change the image."""

from __future__ import annotations

import pytest
import torch

from napari_autofocus.errors import InputError
from napari_autofocus.models.tsva import FULL, LIGHT, METHODS, Method, TsvaNetwork, TsvaSettings, for_grey, ordered


def _network(method: Method = "two-shot", *, changed: bool = True, **settings: int) -> TsvaNetwork:
    """A seeded network; ``changed``: with a last layer that adds something."""
    torch.manual_seed(3)
    network = TsvaNetwork(TsvaSettings(method=method, **{"width": 4, **settings}))
    if changed:
        with torch.no_grad():
            network.last.weight.normal_(0, 0.05)
    return network.eval()


def _shots(height: int = 96, width: int = 64, channels: int = 3) -> torch.Tensor:
    """A sharp and a blurred shot of one texture, (1, 2C, Y, X)."""
    torch.manual_seed(5)
    sharp = torch.rand(1, channels, height, width)
    blurred = torch.nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2, count_include_pad=False)
    return torch.cat([blurred, sharp], dim=1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3])
def test_gives_an_image_and_an_uncertainty_of_the_shots_size(method: Method, channels: int) -> None:
    with torch.inference_mode():
        answer = _network(method, channels=channels)(_shots(channels=channels))
    assert answer.shape == (1, channels + 1, 96, 64)
    assert (answer[:, channels] >= TsvaNetwork.floor * 0.999).all()


def test_an_untaught_network_gives_back_the_sharper_shot() -> None:
    shots = _shots()
    with torch.inference_mode():
        answer = _network(changed=False)(shots)
    assert torch.equal(answer[:, :3], shots[:, 3:])


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_shots_does_not_matter(method: Method) -> None:
    shots, network = _shots(), _network(method)
    with torch.inference_mode():
        assert torch.equal(network(shots), network(shots.roll(3, dims=1)))


def test_the_sharper_shot_is_found_in_each_pair_of_a_batch() -> None:
    shots = _shots()
    sharper, other = ordered(torch.cat([shots, shots.roll(3, dims=1)]))
    assert torch.equal(sharper[0], sharper[1])
    assert torch.equal(sharper[0], shots[0, 3:])
    assert torch.equal(other[1], shots[0, :3])


@pytest.mark.parametrize("method", METHODS)
def test_an_even_image_comes_back_as_it_is(method: Method) -> None:
    shots = torch.full((1, 6, 64, 96), 0.37)
    with torch.inference_mode():
        answer = _network(method)(shots)
    torch.testing.assert_close(answer[:, :3], shots[:, :3], atol=1e-6, rtol=0)


def test_what_is_added_follows_contrast_and_not_brightness() -> None:
    shots, network = _shots(), _network()
    with torch.inference_mode():
        added = network(shots)[:, :3] - shots[:, 3:]
        dim = shots * 0.5 + 0.3
        added_dim = network(dim)[:, :3] - dim[:, 3:]
    assert added.abs().max() > 1e-3
    torch.testing.assert_close(added_dim, added * 0.5, atol=1e-6, rtol=1e-2)


def test_only_the_second_path_sees_the_other_shot() -> None:
    shots = _shots()
    changed = shots.clone()
    changed[:, :3] = changed[:, :3].mean() + 0.1 * (changed[:, :3] - changed[:, :3].mean())
    with torch.inference_mode():
        two, one = _network("two-shot"), _network("one-shot")
        assert (two(shots)[:, :3] - two(changed)[:, :3]).abs().max() > 1e-3
        # The local mean of both is taken off and nothing else is seen of the other shot.
        assert (one(shots)[:, :3] - one(changed)[:, :3]).abs().max() < 0.05


def test_a_shift_by_the_stride_shifts_the_answer() -> None:
    network, stride = _network(), LIGHT.stride_px
    shots = _shots(256, 256)
    with torch.inference_mode():
        answer, moved = network(shots), network(shots.roll((stride, stride), dims=(2, 3)))
    inside = slice(96, 160)
    torch.testing.assert_close(
        moved[..., inside, inside], answer.roll((stride, stride), dims=(2, 3))[..., inside, inside], atol=1e-4, rtol=0
    )


def test_the_paper_s_number_of_convolutions() -> None:
    """27: those of each path counted, as the figure of Li et al. draws them."""
    network = _network()
    shared = sum(isinstance(m, torch.nn.Conv2d) for m in network.contracting.modules())
    every = sum(isinstance(m, torch.nn.Conv2d) for m in network.modules())
    assert every + shared == 27


def test_both_paths_share_their_weights() -> None:
    two, one = _network("two-shot"), _network("one-shot")
    assert [p.shape for p in two.contracting.parameters()] == [p.shape for p in one.contracting.parameters()]


def test_the_light_network_stays_small_and_the_full_one_is_the_usual_u_net() -> None:
    assert sum(p.numel() for p in TsvaNetwork(LIGHT).parameters()) < 1_000_000
    assert FULL.width == 64
    assert FULL.fold == 1


@pytest.mark.parametrize("wrong", [{"method": "three-shot"}, {"width": 0}, {"levels": 0}, {"fold": 0}])
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        TsvaSettings(**wrong)  # type: ignore[arg-type]


def test_a_network_for_grey_images_answers_as_the_one_for_colour_does_to_three_equal_colours() -> None:
    torch.manual_seed(5)
    colour = TsvaNetwork(TsvaSettings(width=4, levels=1)).eval()
    with torch.no_grad():
        colour.last.weight.normal_(0, 0.1)
    grey = for_grey(colour)
    shots = torch.rand(2, 2, 32, 48)
    with torch.inference_mode():
        answer = colour(shots.repeat_interleave(3, dim=1))
        assert grey.settings.channels == 1
        assert torch.allclose(grey(shots)[:, :1], answer[:, :3].mean(dim=1, keepdim=True), atol=1e-5)
        assert torch.allclose(grey(shots)[:, 1:], answer[:, 3:], atol=1e-5)
    assert grey.training is colour.training is False
