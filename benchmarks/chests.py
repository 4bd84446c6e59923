"""Write the drawn chests that films are compared with, where phantoms or their framings changed.

python benchmarks/chests.py src/pneumoscope/imaging/chests.npz
"""

from __future__ import annotations

import sys
from pathlib import Path

from pneumoscope.imaging.appearance import draw_chests

if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(draw_chests().packed())
