"""What passes between a client and the server that it starts: `linetap.py FILE COMMAND...` starts the command, passes
each line on as it is, and keeps it in FILE with who said it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import IO


def main(file: str, *command: str) -> int:
    """The exit code of the command."""
    with open(file, "ab", buffering=0) as kept:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def pump(by: str, source: IO[bytes], to: IO[bytes]) -> None:
            with to:
                for line in source:
                    kept.write(json.dumps({"process": child.pid, "by": by, "line": line.decode()}).encode() + b"\n")
                    try:
                        to.write(line)
                        to.flush()
                    except OSError:
                        return

        assert child.stdin
        assert child.stdout
        threading.Thread(target=pump, args=("client", sys.stdin.buffer, child.stdin), daemon=True).start()
        pump("server", child.stdout, sys.stdout.buffer)
        return child.wait()


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))  # the other thread may still wait for a line
