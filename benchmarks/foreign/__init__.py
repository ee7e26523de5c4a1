"""Networks that nobody here made: what goes in, what comes out, how well they do their task.

A module a network knows its pre-processing and its decoding; ``catalogue`` says on which data each
is judged. None of them opens a file or an engine: whoever measures hands in a ``Run``, so that one
and the same code judges the original, our artefact of it, and a rival on the same board.
"""

from __future__ import annotations
