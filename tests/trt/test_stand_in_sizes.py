"""The stand-in's rules for sizes that are open: shapes, profiles, lent memory, recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install -e .[test]")

from tests.trt.bare import Bare
from tests.trt.nets import network
from tests.trt.play import Play


class Open(Bare):
    """As ``Bare``, of an engine for one to four faces; nothing is said of how many yet."""

    def __init__(self) -> None:
        super().__init__()
        del self.context, self.engine
        self.engine = self.runtime.deserialize_cuda_engine(_open_plan(self.trt, self.logger))
        self.context = self.made()

    def made(self, memory: bool = True) -> Any:
        """Return a context with addresses, and with memory."""
        strategy = self.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self.engine.create_execution_context(strategy)
        if memory:
            self.places.append(self.cuda.mem_alloc(self.engine.device_memory_size_v2))
            context.set_device_memory(int(self.places[-1]), self.engine.device_memory_size_v2)
        for name, place in zip(("args_0", "output_0"), self.places[:2], strict=True):
            context.set_tensor_address(name, int(place))
        return context

    def shaped(self, count: int) -> bool:
        """Say how many faces there are."""
        return bool(self.context.set_input_shape("args_0", (count, 16, 16, 3)))


def _open_plan(trt: Any, logger: Any, *, most: int = 4, profile: bool = True) -> Any:
    builder = trt.Builder(logger)
    made = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.OnnxParser(made, logger)
    assert parser.parse(network("int8"))
    made.get_input(0).shape = (-1, 16, 16, 3)
    assert made.get_output(0).shape == (-1, 3)
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.INT8)
    if profile:
        ranges = builder.create_optimization_profile()
        ranges.set_shape("args_0", *((count, 16, 16, 3) for count in (1, most, most)))
        assert config.add_optimization_profile(ranges) == 0
    return builder.build_serialized_network(made, config)


def test_open_sizes_by_the_rules(board: Play) -> None:
    with board():
        bare = Open()
        assert bare.engine.get_tensor_shape("args_0") == (-1, 16, 16, 3)
        assert [s[0] for s in bare.engine.get_tensor_profile_shape("args_0", 0)] == [1, 4, 4]
        assert bare.shaped(1) and not bare.shaped(5) and not bare.shaped(0)
        assert bare.context.get_tensor_shape("output_0") == (1, 3)
        bare.run()
        bare.stream.synchronize()
        assert (bare.out != -1).all()
        bare.close()


def _no_shape(bare: Open) -> None:
    bare.run()


def _beyond_the_profile(bare: Open) -> None:
    assert not bare.shaped(5)
    bare.run()


def _no_place_for_so_many(bare: Open) -> None:
    assert bare.shaped(2)
    bare.run()


def _no_memory(bare: Open) -> None:
    bare.context = bare.made(memory=False)
    assert bare.shaped(1)
    bare.run()


def _little_memory(bare: Open) -> None:
    bare.context.set_device_memory(int(bare.places[2]), 100)


def _memory_freed_while_it_waits(bare: Open) -> None:
    assert bare.shaped(1)
    bare.run()
    bare.places[2].free()
    bare.stream.synchronize()


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (_no_shape, "the shape of args_0 is not set"),
        (_beyond_the_profile, "the shape of args_0 is not set"),
        (_no_place_for_so_many, "args_0: 1536 bytes, and 768 are there"),
        (_no_memory, "no memory was lent"),
        (_little_memory, "100 bytes, and 65536 are wanted"),
        (_memory_freed_while_it_waits, "is no device memory, or was freed"),
    ],
    ids=lambda value: getattr(value, "__name__", "")[1:],
)
def test_a_broken_rule_of_open_sizes(
    board: Play, breaks: Callable[[Open], None], said: str
) -> None:
    with board(forgive=True):
        from standin import Violation

        bare = Open()
        with pytest.raises(Violation, match=said):
            breaks(bare)


def test_a_graph_is_of_the_shape_that_it_was_recorded_with(board: Play) -> None:
    with board(forgive=True):
        from standin import Violation
        from standin.gpu import GPU

        bare = Open()
        bare.places[:2] = [bare.cuda.mem_alloc(4 * size) for size in (768, 12)]
        for name, place in zip(("args_0", "output_0"), bare.places[:2], strict=True):
            bare.context.set_tensor_address(name, int(place))
        handle = bare.stream.handle
        assert bare.shaped(1)
        GPU.begin_recording(handle)
        with pytest.raises(Violation, match="before the first run of its shapes"):
            bare.context.execute_async_v3(handle)
        GPU.end_recording(handle)
        bare.run()
        bare.stream.synchronize()
        GPU.begin_recording(handle)
        bare.context.execute_async_v3(handle)
        recorded = GPU.end_recording(handle)
        GPU.launch(recorded, handle)
        bare.stream.synchronize()
        assert bare.shaped(2)
        GPU.launch(recorded, handle)
        with pytest.raises(Violation, match="the graph was recorded for"):
            bare.stream.synchronize()


def test_a_profile_is_one_contexts_before_release_10(board: Play) -> None:
    with board(tensorrt="8.6", forgive=True):
        import tensorrt as trt
        from standin import Violation

        bare_logger = trt.Logger()
        plan = _open_plan(trt, bare_logger)
        engine = trt.Runtime(bare_logger).deserialize_cuda_engine(plan)
        first, second = engine.create_execution_context(), engine.create_execution_context()
        assert first.set_binding_shape(0, (3, 16, 16, 3))
        with pytest.raises(Violation, match="the profile is another context's"):
            second.set_binding_shape(0, (3, 16, 16, 3))


def _sum_with_a_constant() -> bytes:
    """Return a network of four numbers."""
    import onnx

    helper = onnx.helper
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, 4)) for name in "xy"]
    four = onnx.numpy_helper.from_array(np.ones((1, 4), np.float32), "four")
    node = helper.make_node("Add", ["x", "four"], ["y"])
    graph = helper.make_graph([node], "sum", ends[:1], ends[1:], [four])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    content: bytes = model.SerializeToString()
    return content


def test_open_sizes_want_a_profile_and_layers_that_allow_them(board: Play) -> None:
    with board():
        import tensorrt as trt

        assert _open_plan(trt, trt.Logger(), profile=False) is None
        builder = trt.Builder(trt.Logger())
        made = builder.create_network(1)
        assert trt.OnnxParser(made, trt.Logger()).parse(_sum_with_a_constant())
        made.get_input(0).shape = (1, 3)
        with pytest.raises(ValueError, match="__len__"):
            tuple(made.get_output(0).shape)
        profile = builder.create_optimization_profile()
        with pytest.raises(ValueError, match="inconsistent"):
            profile.set_shape("args_0", (2, 3), (1, 3), (4, 3))
