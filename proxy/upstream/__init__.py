"""The way to the backends: connections that are dialled safely, one request per call."""
