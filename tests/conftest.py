"""Settings of the whole suite."""

import os

# As the command line does, and before any test imports torch: see streamer.cli.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
