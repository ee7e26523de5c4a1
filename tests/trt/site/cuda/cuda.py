"""Where cuda-python before 12.6.1 has its driver."""

from standin.cuda_driver import *  # noqa: F403
