"""Prove the toolchain on networks that nobody here made: ``python -m export.proof``.

engines   the original in its own framework, and our artefacts, as one kind of call
subject   a stranger's file, or an older network with random weights (``shapes``)
prove     one network: convert, compare, judge
record    all rows, kept from run to run; ``page`` writes them for people
"""

from __future__ import annotations
