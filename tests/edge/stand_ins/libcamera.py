"""Stand-in for libcamera's Python module: the names that edge/sources/picamera.py uses.

After raspberrypi/libcamera src/py/libcamera and src/libcamera/control_ids_core.yaml.
"""

from __future__ import annotations

import enum


class Transform:
    """Booleans only, by keyword or place, as pybind11 has them."""

    def __init__(
        self,
        rotation: int = 0,
        hflip: bool = False,
        vflip: bool = False,
        transpose: bool = False,
    ) -> None:
        for flag in (hflip, vflip, transpose):
            if type(flag) is not bool:
                raise TypeError("incompatible constructor arguments")
        if rotation or transpose:
            raise ValueError("the image processor of a Raspberry Pi cannot do that")
        self.hflip, self.vflip = hflip, vflip


class ColorSpace:
    """A name is enough."""

    def __init__(self, name: str) -> None:
        self.name = name

    @staticmethod
    def Smpte170m() -> ColorSpace:
        return ColorSpace("Smpte170m")


class controls:
    """Enumerations of control values."""

    class AfModeEnum(enum.IntEnum):
        """``control_ids_core.yaml``: AfModeManual 0, AfModeAuto 1, AfModeContinuous 2."""

        Manual = 0
        Auto = 1
        Continuous = 2
