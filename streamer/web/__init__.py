"""The page, the HTTP API, metrics and health."""
