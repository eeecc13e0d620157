"""Spans and metrics: readers of the Record. `telemetry` puts them together."""
