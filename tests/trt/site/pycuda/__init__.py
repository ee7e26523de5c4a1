"""The stand-in's PyCUDA; there if ``STANDIN_CUDA`` names it."""

from standin import setting

if "pycuda" not in setting("CUDA").split(","):
    raise ModuleNotFoundError("No module named 'pycuda'", name="pycuda")
