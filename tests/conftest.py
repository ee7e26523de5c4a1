"""What every test folder shares: which of them this Python can serve."""

from __future__ import annotations

import sys

# export/ and models/ read cards with tomllib and serve Python 3.11 and later; edge/ serves 3.10.
collect_ignore = ["export"] if sys.version_info < (3, 11) else []
