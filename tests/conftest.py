"""What every test folder shares: which of them this Python can serve."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

#: Of tests/export, what tests the commands that run on a device; they serve Python 3.10, too.
ON_A_DEVICE = ("test_race", "test_toolchain")

# The rest of export/ and models/ read cards with tomllib and serve 3.11 and later.
collect_ignore = [
    str(path.relative_to(HERE))
    for path in sorted(HERE.glob("export/**/test_*.py"))
    if sys.version_info < (3, 11) and not path.name.startswith(ON_A_DEVICE)
]

# A property is about answers, not time: a busy machine must not refute it.
settings.register_profile(
    "unveil-edge", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unveil-edge")
