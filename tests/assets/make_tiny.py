"""Make the tiny networks that the engine tests run: python tests/assets/make_tiny.py

Needs the extras ``export``. Two layers, two outputs, fixed random weights: nobody's face.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
SIDE_PX = 16


class Tiny(torch.nn.Module):
    """Picture [1, 16, 16, 3] to logits [1, 3] and embedding [1, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 6, 3, stride=2)
        self.second = torch.nn.Conv2d(6, 7, 1)

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take real values, NHWC."""
        x = torch.relu(self.first(picture.permute(0, 3, 1, 2)))
        x = torch.nn.functional.adaptive_avg_pool2d(self.second(x), 1).flatten(1)
        return x[:, :3], x[:, 3:]


def main() -> None:
    """Write tiny.int8.tflite, tiny.fp32.onnx and the golden tiny.npz beside this file."""
    torch.manual_seed(7)
    net = Tiny().eval()
    rng = np.random.default_rng(7)
    pictures = rng.integers(0, 256, (9, 1, SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    pictures[1:, 0, 0, 0] = (0, 255, 0)  # both ends of the byte: the scale gets exactly 1/128
    with tempfile.TemporaryDirectory() as folder:
        content = _quantised(net, [_real(picture) for picture in pictures[1:]], Path(folder))
    (FOLDER / "tiny.int8.tflite").write_bytes(content)
    example = torch.from_numpy(_real(pictures[0]))
    (FOLDER / "tiny.fp32.onnx").write_bytes(_onnx(net, example))
    with torch.no_grad():
        logits, embedding = net(example)
    np.savez(
        FOLDER / "tiny.npz",
        picture=pictures[0, 0],
        logits=logits.numpy(),
        embedding=embedding.numpy(),
    )


def _real(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    real: NDArray[np.float32] = (picture.astype(np.float32) - np.float32(128)) / np.float32(128)
    return real


def _onnx(net: torch.nn.Module, example: torch.Tensor) -> bytes:
    names = ["output_0", "output_1"]
    program = torch.onnx.export(
        net, (example,), dynamo=True, input_names=["args_0"], output_names=names
    )
    assert program is not None
    model = program.model_proto
    for item in (model, model.graph, *model.graph.node, *model.graph.value_info):
        item.ClearField("metadata_props")  # holds this machine's own paths
        item.ClearField("doc_string")
    return bytes(model.SerializeToString())


def _quantised(net: torch.nn.Module, samples: list[NDArray[np.float32]], folder: Path) -> bytes:
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe

    path = folder / "float.tflite"
    litert_torch.convert(net, (torch.zeros(1, SIDE_PX, SIDE_PX, 3),)).export(str(path))
    tool = quantizer.Quantizer(str(path))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    found = tool.calibrate({"serving_default": [{"args_0": sample} for sample in samples]})
    tool.quantize(found).export_model(str(folder / "int8.tflite"))
    return (folder / "int8.tflite").read_bytes()


if __name__ == "__main__":
    main()
