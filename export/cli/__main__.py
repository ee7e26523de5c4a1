"""``python -m export.cli`` is ``edge-export``."""

from export.cli import main

raise SystemExit(main())
