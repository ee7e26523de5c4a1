from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
nn = torch.nn

from export.program.transposed import cut_transposed  # noqa: E402


class _Up(nn.Module):
    def __init__(self, *sizes: int, **options: Any) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, *sizes, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(torch.relu(x))


def _nodes(network: nn.Module) -> list[Any]:
    wanted = torch.ops.aten.conv_transpose2d.input
    return [node for node in network.graph.nodes if node.target is wanted]


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ((3, 2), {"padding": 1, "output_padding": 1}),  # Keras's "same" at stride 2
        ((7, 2), {"padding": 3, "output_padding": 1, "bias": False}),
        ((3, 2), {"padding": 1}),
        ((5, (2, 3)), {"padding": (2, 1), "output_padding": (1, 0)}),
        ((3, 2), {"padding": 1, "output_padding": 1, "groups": 2}),
    ],
)
def test_what_tflite_lacks_is_cut_out_of_what_it_has(
    sizes: tuple[Any, ...], options: dict[str, Any]
) -> None:
    network, x = _Up(*sizes, **options).eval(), torch.randn(1, 4, 5, 6)
    legal = cut_transposed(network, (x,))
    (node,) = _nodes(legal)
    assert node.args[4] == node.args[5] == [0, 0]
    with torch.no_grad():
        assert legal(x).shape == network(x).shape
        np.testing.assert_allclose(legal(x), network(x), atol=1e-6)


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ((2, 2), {}),
        ((3, 2), {}),
        ((4, 2), {"padding": 1}),
        ((3, 1), {"padding": 1}),
    ],
)
def test_what_tflite_has_stays_as_it_is(sizes: tuple[int, ...], options: dict[str, Any]) -> None:
    network = _Up(*sizes, **options).eval()
    assert cut_transposed(network, (torch.randn(1, 4, 5, 6),)) is network


def test_a_network_without_one_is_not_even_looked_into() -> None:
    network = nn.Conv2d(4, 4, 3)
    assert cut_transposed(network, ()) is network


def test_keras_like_upsampling_lowers() -> None:
    pytest.importorskip("litert_torch", reason="needs litert-torch: pip install -e .[export]")
    from ai_edge_litert.interpreter import Interpreter

    from export.program.lower import SIGNATURE, lower_module

    network = _Up(3, 2, padding=1, output_padding=1).eval()
    x = torch.randn(1, 4, 5, 6)
    content = lower_module(network, [tuple(x.shape)], where="test")
    runner = Interpreter(model_content=content).get_signature_runner(SIGNATURE)
    with torch.no_grad():
        np.testing.assert_allclose(runner(args_0=x.numpy())["output_0"], network(x), atol=1e-5)
