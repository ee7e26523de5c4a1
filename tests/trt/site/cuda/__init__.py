"""The stand-in's cuda-python; there if ``STANDIN_CUDA`` names it, or ``cuda-python-old``."""

from standin import setting

if not {"cuda-python", "cuda-python-old"} & set(setting("CUDA").split(",")):
    raise ModuleNotFoundError("No module named 'cuda'", name="cuda")
