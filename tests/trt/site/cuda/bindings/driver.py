"""Where cuda-python has its driver since 12.6.1."""

from standin.cuda_driver import *  # noqa: F403
