"""There from cuda-python 12.6.1 on."""

from standin import setting

if "cuda-python" not in setting("CUDA").split(","):
    raise ModuleNotFoundError("No module named 'cuda.bindings'", name="cuda.bindings")
