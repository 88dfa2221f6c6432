"""Rounds of lies, lag, races and kills against real processes, and a million events without them; see `__main__`."""

import sys
from pathlib import Path

# `python -m tests.torture` finds its neighbours (acceptance.world) where pytest finds them.
if (_tests := str(Path(__file__).parent.parent)) not in sys.path:
    sys.path.insert(0, _tests)
