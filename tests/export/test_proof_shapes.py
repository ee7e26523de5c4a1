from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
nn = torch.nn

from export.proof.shapes.catalogue import SHAPES, Shape, random_inputs  # noqa: E402
from export.proof.shapes.scaled import count_parameters, scale_weights  # noqa: E402


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_an_older_network_has_as_many_parameters_as_its_system(shape: Shape) -> None:
    with torch.device("meta"):  # sizes alone: no memory is taken
        network = shape.build()
    assert count_parameters(network, norm_values=shape.norm_values) == shape.parameters


#: Outputs of each, for one input.
OUTPUTS = {
    "seed-map-unet": [(1, 128, 128, 1)],
    "seed-editing": [(1, 128, 128, 3)],
    "seed-residual-unet": [(1, 256, 256, 3)],
    "seed-landmark-depth": [(1, 68, 3), (1, 224, 224)],
    "seed-inception-resnet": [(1, 512)],
}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_an_older_network_gives_what_its_system_gives(shape: Shape) -> None:
    with torch.device("meta"):
        network = shape.build().eval()
        outputs = network(*(torch.empty(picture.shape) for picture in shape.pictures))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    assert [tuple(output.shape) for output in outputs] == OUTPUTS[shape.name]


def _deep(layers: int) -> nn.Module:
    body: list[nn.Module] = []
    for number in range(layers):
        body += [nn.Conv2d(3 if number == 0 else 8, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(8 * 64, 5), nn.BatchNorm1d(5))


def test_weights_are_scaled_so_that_nothing_vanishes_or_explodes() -> None:
    network, seen = _deep(30), []
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    scale_weights(network, (x,), seed=3)
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, inputs, output: seen.append(output.std()))
    with torch.no_grad():
        out = network(x)
    assert len(seen) == 30
    np.testing.assert_allclose(seen, 1, rtol=1e-2)
    assert not network.training
    np.testing.assert_allclose(out.std(0, correction=0), 1, rtol=1e-2)
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-3)


def test_every_channel_of_a_convolution_is_spread_alike() -> None:
    up = nn.ConvTranspose2d(8, 8, 3, 2, padding=1, output_padding=1)
    plain = nn.Conv2d(8, 8, 1, bias=False)
    network, seen = nn.Sequential(_deep(6)[:12], up, plain), []
    x = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    scale_weights(network, (x,), seed=3)
    for layer in (*network[0], up, plain):
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    with torch.no_grad():
        network(x)
    for output in seen:
        np.testing.assert_allclose(output.std((0, 2, 3)), 1, rtol=1e-3)
    for output in seen[:-1]:  # the last has no bias to take its mean away
        np.testing.assert_allclose(output.mean((0, 2, 3)), 0, atol=1e-4)


def test_one_seed_gives_one_network() -> None:
    networks, x = [_deep(2), _deep(2), _deep(2)], torch.randn(2, 3, 8, 8)
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        scale_weights(network, (x,), seed=seed)
    first, same, other = (network[0].weight for network in networks)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_random_inputs_are_bytes_of_every_scale_and_maps_are_two_valued() -> None:
    editing = next(shape for shape in SHAPES if shape.name == "seed-editing")
    (picture, covered), again = random_inputs(editing, 2, 5)
    assert picture.shape == (1, 128, 128, 3)
    assert picture.dtype == covered.dtype == np.uint8
    assert set(np.unique(covered)) == {0, 255}
    assert not np.array_equal(picture, again[0])
    assert np.array_equal(picture, next(random_inputs(editing, 1, 5))[0])
    real = editing.real((picture, covered))
    assert set(np.unique(real[1])) == {-1, 1}
    # Coarse structure: neighbours are alike, as in a photograph.
    grey = picture[0, :, :, 0].astype(np.float64)
    assert np.corrcoef(grey[:, :-1].ravel(), grey[:, 1:].ravel())[0, 1] > 0.8
