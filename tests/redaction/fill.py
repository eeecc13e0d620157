"""The fillers of examples, for tests."""

from redaction.fill import PLACE, fill

__all__ = ["PLACE", "fill"]
