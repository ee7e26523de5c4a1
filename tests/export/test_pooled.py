"""Max-pools with a border, as every network with the stem of a ResNet has one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.anatomy.quiet import quiet

torch = pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")
nn = torch.nn

from export.program.pooled import repeat_edges  # noqa: E402

X = torch.randn(1, 3, 9, 8, generator=torch.Generator().manual_seed(5))


def _net(act: Any, **options: Any) -> Any:
    return nn.Sequential(act, nn.MaxPool2d(**options)).eval()


@pytest.mark.parametrize("act", [nn.ReLU(), nn.Tanh()], ids=["zeros", "edges"])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 5, "stride": 1, "padding": 2},
        {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)},
        {"kernel_size": 3, "stride": 2, "ceil_mode": True},
        {"kernel_size": 2, "padding": 1},
    ],
    ids=str,
)
def test_a_border_of_real_numbers_gives_the_same_maximum(act: Any, options: Any) -> None:
    network = _net(act, **options)
    changed = repeat_edges(network, (X,))
    assert changed is not network
    with torch.no_grad():
        np.testing.assert_array_equal(changed(X), network(X))
    pools = [n for n in changed.graph.nodes if n.target is torch.ops.aten.max_pool2d.default]
    assert [len(pool.args) for pool in pools] == [3]


def test_in_core_operators_as_well() -> None:
    network = _net(nn.Tanh(), kernel_size=3, stride=2, padding=1)
    with quiet():
        core = torch.export.export(network, (X,)).run_decompositions().module()
    changed = repeat_edges(core, (X,))
    assert changed is not core
    with torch.no_grad():
        np.testing.assert_array_equal(changed(X), network(X))


def test_a_pool_without_a_border_stays() -> None:
    network = _net(nn.Tanh(), kernel_size=2)
    assert repeat_edges(network, (X,)) is network


def test_what_is_lowered_holds_no_infinity() -> None:
    pytest.importorskip("litert_torch", reason="needs litert_torch: pip install -e .[export]")
    from benchmarks.anatomy.graph import read_graph
    from export.program.lower import lower_module

    network = _net(nn.Tanh(), kernel_size=3, stride=2, padding=1)
    graph = read_graph(lower_module(network, [tuple(X.shape)], where="net"), where="net")
    assert "PADV2" not in {node.op for node in graph.nodes}
