"""Turn a Keras file into float TFLite with TensorFlow's own converter, for a rival's chain."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import tensorflow as tf

__all__ = ["main"]


def main() -> int:
    """Convert ``sys.argv[1]`` into ``sys.argv[2]``."""
    source, target = (Path(argument) for argument in sys.argv[1:3])
    model = keras.models.load_model(source, compile=False, safe_mode=True)
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
