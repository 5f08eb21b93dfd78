"""``python -m streamer`` is ``deepmovie``."""

import sys

from streamer.cli import main

sys.exit(main())
