"""The stand-in itself: each rule of TensorRT's and CUDA's that it keeps, broken once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx: pip install -e .[test]")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install -e .[test]")

from tests.trt.bare import Bare, plan_of
from tests.trt.collect_names import RELEASES, names_of
from tests.trt.nets import network
from tests.trt.play import Play


def test_who_keeps_the_rules_is_left_alone(board: Play) -> None:
    with board():
        bare = Bare()
        bare.run()
        assert (bare.out == -1).all(), "nothing is there before somebody waits"
        bare.stream.synchronize()
        assert (bare.out != -1).all()
        bare.close()


def _no_address(bare: Bare) -> None:
    bare.context = bare.engine.create_execution_context()
    bare.context.execute_async_v3(bare.stream.handle)


def _small_place(bare: Bare) -> None:
    bare.places.append(bare.cuda.mem_alloc(3))
    bare.context.set_tensor_address("args_0", int(bare.places[-1]))
    bare.run()


def _freed_place(bare: Bare) -> None:
    bare.places[1].free()
    bare.run()


def _freed_while_it_waits(bare: Bare) -> None:
    bare.run()
    bare.places[1].free()
    bare.stream.synchronize()


def _freed_stream(bare: Bare) -> None:
    handle = bare.stream.handle
    del bare.stream
    bare.context.execute_async_v3(handle)


def _pageable(bare: Bare) -> None:
    bare.host = np.zeros((1, 16, 16, 3), np.int8)
    bare.run()


def _host_freed_while_it_waits(bare: Bare) -> None:
    bare.run()
    bare.host = None
    bare.stream.synchronize()


def _other_thread(bare: Bare) -> None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            bare.run()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    raise caught[0]


def _context_freed_while_it_waits(bare: Bare) -> None:
    bare.run()
    del bare.context
    bare.stream.synchronize()


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (_no_address, "the address of args_0 is not set"),
        (_small_place, "768 bytes, and 3 are there"),
        (_freed_place, "is no device memory, or was freed"),
        (_freed_while_it_waits, "is no device memory, or was freed"),
        (_freed_stream, "the stream was freed"),
        (_pageable, "not page-locked"),
        (_host_freed_while_it_waits, "not page-locked, or was freed"),
        (_other_thread, "the calling thread has no current context"),
        (_context_freed_while_it_waits, "the context was freed while its work waited"),
    ],
    ids=lambda value: getattr(value, "__name__", "")[1:],
)
def test_a_broken_rule_is_a_violation(
    board: Play, breaks: Callable[[Bare], None], said: str
) -> None:
    with board(forgive=True) as log:
        from standin import Violation

        bare = Bare()
        with pytest.raises(Violation, match=said):
            breaks(bare)
        assert said in log.read_text(encoding="utf-8")


def test_an_engine_freed_before_its_context_and_a_runtime_before_its_engine(board: Play) -> None:
    with board(forgive=True) as log:
        bare = Bare()
        del bare.runtime
        assert "a runtime was freed before its engine" in log.read_text(encoding="utf-8")
        del bare.engine
        assert "an engine was freed before its execution context" in log.read_text("utf-8")


def test_a_context_that_is_let_go_with_memory_on_it(board: Play) -> None:
    with board(forgive=True) as log:
        bare = Bare()
        bare.held.detach()
        left = "2 allocations, 1 streams, 2 page-locked left on it"
        assert f"let the context go with {left}" in log.read_text("utf-8")
        with pytest.raises(BaseException, match="no current context"):
            bare.run()


def test_an_unnoticed_violation_fails_the_test(board: Play) -> None:
    with pytest.raises(pytest.fail.Exception, match="freed before its execution context"):
        with board():
            bare = Bare()
            del bare.engine
            bare.close()


@pytest.mark.parametrize("damage", ["tampered", "cut"])
def test_a_damaged_engine_is_a_segmentation_fault(board: Play, damage: str) -> None:
    with board():
        import tensorrt as trt
        from standin import SegmentationFault

        plan = bytearray(plan_of(trt, trt.Logger()))
        plan[-9] ^= 1
        with pytest.raises(SegmentationFault):
            trt.Runtime(trt.Logger()).deserialize_cuda_engine(
                bytes(plan if damage == "tampered" else plan[:-3])
            )


def test_without_a_device_a_builder_is_refused_and_an_engine_is_a_segmentation_fault(
    board: Play,
) -> None:
    with board():
        import tensorrt as trt

        plan = plan_of(trt, trt.Logger())
    with board(gpu=""):
        import tensorrt as trt
        from standin import SegmentationFault

        with pytest.raises(TypeError, match="factory function returned nullptr"):
            trt.Builder(trt.Logger())
        with pytest.raises(SegmentationFault):
            trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)


@pytest.mark.parametrize("other", [{"COMPUTE": "8.9"}, {"tensorrt": "10.11"}])
def test_an_engine_of_another_place_is_refused(board: Play, other: dict[str, str]) -> None:
    with board():
        import tensorrt as trt

        plan = plan_of(trt, trt.Logger())
    with board(**other):
        import tensorrt as trt

        assert trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan) is None


def test_a_parser_wants_its_errors_cleared(board: Play) -> None:
    with board(tensorrt="11.4", forgive=True):
        import tensorrt as trt
        from standin import Violation

        parser = trt.OnnxParser(trt.Builder(trt.Logger()).create_network(0), trt.Logger())
        assert not parser.parse(b"nothing")
        with pytest.raises(Violation, match="not cleared"):
            parser.parse(network("fp16"))
        parser.clear_errors()
        assert parser.parse(network("fp16"))


def test_a_logger_without_its_base_is_refused(board: Play) -> None:
    with board():
        import tensorrt as trt

        class Log(trt.ILogger):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                pass

        with pytest.raises(TypeError, match="__init__"):
            trt.Builder(Log())


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_has_its_own_names_and_no_others(board: Play, release: str) -> None:
    with board(tensorrt=release):
        import tensorrt as trt

        classes = names_of(release)["classes"]
        assert trt.__version__ == names_of(release)["version"]
        for kind in ("Builder", "IBuilderConfig", "ICudaEngine", "IExecutionContext", "OnnxParser"):
            has = {name for name in dir(getattr(trt, kind)) if not name.startswith("_")}
            assert has == set(classes[kind])
        assert hasattr(trt.BuilderFlag, "FP16") == ("FP16" in classes["BuilderFlag"])
        with pytest.raises(AttributeError):
            _ = trt.NetworkDefinitionCreationFlag.NO_SUCH_FLAG


def test_a_parser_that_is_freed_takes_the_weights_with_it(board: Play) -> None:
    with board(forgive=True):
        import tensorrt as trt
        from standin import Violation

        builder = trt.Builder(trt.Logger())
        made = builder.create_network(1)
        assert trt.OnnxParser(made, trt.Logger()).parse(network("int8"))
        with pytest.raises(Violation, match="the parser was freed"):
            builder.build_serialized_network(made, builder.create_builder_config())


def test_an_engine_of_another_accelerator_and_one_that_is_not_there(board: Play) -> None:
    with board(DLA="1", forgive=True):
        import tensorrt as trt
        from standin import Violation

        plan, runtime = plan_of(trt, trt.Logger()), trt.Runtime(trt.Logger())
        with pytest.raises(Violation, match="there is no core 1"):
            runtime.DLA_core = 1
        runtime.DLA_core = 0
        with pytest.raises(Violation, match="engine of DLA core -1, and the runtime's is 0"):
            runtime.deserialize_cuda_engine(plan)


def test_flags_that_a_release_does_not_have(board: Play) -> None:
    with board(tensorrt="11.4", forgive=True):
        import tensorrt as trt
        from standin import Violation

        with pytest.raises(AttributeError):
            _ = trt.BuilderFlag.INT8
        with pytest.raises(Violation, match="more than this release has"):
            trt.Builder(trt.Logger()).create_network(1 << 7)
    with board(tensorrt="8.6", forgive=True):
        import tensorrt as trt
        from standin import Violation

        with pytest.raises(Violation, match="EXPLICIT_BATCH"):
            trt.Builder(trt.Logger()).create_network(0)


@pytest.mark.parametrize("release", ["10.3", "10.12"])
def test_a_builder_wants_flags_or_types_by_its_generation(board: Play, release: str) -> None:
    with board(tensorrt=release):
        import tensorrt as trt

        builder = trt.Builder(trt.Logger())
        strong = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        for flags, precise, good in ((0, True, True), (0, False, False), (strong, True, False),
                                     (strong, False, True)):  # fmt: skip
            made = builder.create_network(flags)
            parser = trt.OnnxParser(made, trt.Logger())
            assert parser.parse(network("int8"))
            config = builder.create_builder_config()
            if precise:
                config.set_flag(trt.BuilderFlag.INT8)
            assert (builder.build_serialized_network(made, config) is not None) == good


def test_child_processes_play_the_same(board: Play) -> None:
    with board(tensorrt="8.6", cuda="cuda-python-old", gpu="Xavier"):
        code = (
            "import ctypes, tensorrt; ctypes.CDLL('libcuda.so.1'); from cuda import cuda; "
            "cuda.cuInit(0); print(tensorrt.__version__, cuda.cuDeviceGetName(8, 0)[1])"
        )
        said = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ
        ).stdout
        assert said == "8.6.1 b'Xavier\\x00\\x00'\n"


def test_what_is_not_installed_is_not_there(board: Play) -> None:
    with board(tensorrt="", cuda=""):
        for name in ("tensorrt", "pycuda.driver", "cuda.bindings.driver"):
            with pytest.raises(ModuleNotFoundError):
                __import__(name)
