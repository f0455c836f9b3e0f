import math

import numpy as np
import pytest
import torch

from sim2real_bench.agents.networks import WaypointNetwork, peak_soft_argmax, scaled_channels, spatial_soft_argmax
from sim2real_bench.errors import ConfigurationError


def test_soft_argmax_against_hand_computed_weights():
    # exp(logits) = 1 2 / 3 4: weights .1 .2 .3 .4, so x = .6 - .4 = .2 and y = .7 - .3 = .4
    heatmap = torch.log(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).view(1, 1, 2, 2)
    assert torch.allclose(spatial_soft_argmax(heatmap), torch.tensor([[[0.2, 0.4]]]), atol=1e-6)


def test_soft_argmax_of_a_sharp_peak_is_its_cell_and_temperature_softens_it():
    heatmap = torch.zeros(1, 1, 5, 9)
    heatmap[0, 0, 4, 2] = 50.0
    assert torch.allclose(spatial_soft_argmax(heatmap), torch.tensor([[[-0.5, 1.0]]]), atol=1e-5)
    assert spatial_soft_argmax(heatmap, temperature=1000.0).abs().max() < 0.05


def test_width_one_is_the_papers_size():
    # ResNet-18 without classifier (11.18 M with 3 input channels) + deconvolutions (1.55 M): 12.7 M
    count = sum(p.numel() for p in WaypointNetwork(3, 1.0, 160, 384).parameters())
    assert 12.6e6 < count < 12.8e6


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 160, 384), (1, 192, 192), (1, 160, 384)])
def test_shapes_and_range(channels, height, width):
    network = WaypointNetwork(channels, 0.125, height, width).eval()
    image = torch.rand(2, channels, height, width)
    with torch.no_grad():
        assert network.heatmaps(image).shape == (2, 5, height // 4, width // 4)
        waypoints = network(image)
    assert waypoints.shape == (2, 5, 2)
    assert waypoints.abs().max() <= 1.0


def test_memory_format_does_not_change_the_result():
    network = WaypointNetwork(3, 0.125, 64, 96).eval()
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        expected = network(image)
        found = network.to(memory_format=torch.channels_last)(image.contiguous(memory_format=torch.channels_last))
    assert torch.allclose(expected, found, atol=1e-5)


def test_every_parameter_gets_a_gradient_and_the_network_learns_a_point():
    torch.manual_seed(0)
    network = WaypointNetwork(1, 0.125, 64, 64)
    image = torch.rand(4, 1, 64, 64)
    target = torch.tensor([0.5, -0.25]).expand(4, 5, 2)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss = (network(image) - target).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # The 1x1 convolution's bias shifts a whole heatmap, which the softmax ignores: the one gradient that is zero.
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert [name for name in without if not name.endswith(".bias")] == []
    assert losses[-1] < 0.5 * losses[0]


def test_scaled_channels_are_multiples_of_eight():
    assert [scaled_channels(64, w) for w in (1.0, 0.5, 0.25, 0.01)] == [64, 32, 16, 8]


@pytest.mark.parametrize(
    "sizes", [(0, 1.0, 64, 64), (1, 0.0, 64, 64), (1, 1.0, 0, 64), (1, 1.0, 100, 64), (1, 1.0, 64, 33)]
)
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ConfigurationError, match="waypoint network"):
        WaypointNetwork(*sizes)


def test_an_image_of_another_size_is_refused_with_both_shapes():
    with pytest.raises(ConfigurationError, match=r"\(1, 2, 64, 64\).*\(batch, 1, 64, 64\)"):
        WaypointNetwork(1, 0.125, 64, 64)(torch.zeros(1, 2, 64, 64))


def test_architecture_rebuilds_the_network():
    network = WaypointNetwork(1, 0.25, 64, 96)
    again = WaypointNetwork(**network.architecture)
    again.load_state_dict(network.state_dict())
    image = torch.from_numpy(np.random.default_rng(0).random((1, 1, 64, 96), np.float32))
    with torch.no_grad():
        assert torch.equal(network.eval()(image), again.eval()(image))


def test_the_peak_of_two_modes_is_one_of_them():
    # Two ways at columns 1 and 9 of 11: their mean is column 4.2, in the middle of nowhere.
    heatmap = torch.full((1, 1, 1, 11), -30.0)
    heatmap[..., 1], heatmap[..., 9] = math.log(0.6), math.log(0.4)
    assert spatial_soft_argmax(heatmap)[0, 0, 0].item() == pytest.approx((0.6 * 1 + 0.4 * 9) / 5 - 1, abs=1e-5)
    assert peak_soft_argmax(heatmap, 0.2)[0, 0, 0].item() == pytest.approx(1 / 5 - 1, abs=1e-5)
    assert torch.allclose(peak_soft_argmax(heatmap, 1.0), spatial_soft_argmax(heatmap))


def test_a_network_answers_with_the_peak_only_when_it_drives():
    torch.manual_seed(0)
    network = WaypointNetwork(1, 0.1, 32, 64, peak_share=0.1)
    image = torch.rand(2, 1, 32, 64)
    assert torch.equal(network.eval()(image), peak_soft_argmax(network.heatmaps(image), 0.1))
    network.train()
    before = torch.get_rng_state()
    trained = network(image)
    torch.set_rng_state(before)
    assert torch.equal(trained, spatial_soft_argmax(network.heatmaps(image)))
    assert network.architecture["peak_share"] == 0.1
    assert "peak_share" not in WaypointNetwork(1, 0.1, 32, 64).architecture
    with pytest.raises(ConfigurationError, match="peak_share"):
        WaypointNetwork(1, 0.1, 32, 64, peak_share=2.0)
