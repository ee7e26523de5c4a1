"""TensorRT where there is none: the names of its releases, and a stand-in that keeps its rules."""
