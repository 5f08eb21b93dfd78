"""The daemon: composes sources, the painter and sinks into one long-running process."""
