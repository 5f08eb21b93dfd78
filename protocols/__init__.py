"""Frames in and out: sources, sinks, the wire and the URLs that name them."""
