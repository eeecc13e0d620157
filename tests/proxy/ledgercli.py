"""`toolwall ledger`, beside the sidecar of a folder or without one."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from proxy.cli import app


def ledger(folder: Path, *args: str) -> tuple[int, str]:
    """The exit code and what was printed."""
    done = CliRunner().invoke(app, ["ledger", *args, "-c", str(folder / "toolwall.yaml")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output
