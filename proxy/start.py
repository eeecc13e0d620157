"""Where the command begins: it takes some tenths of a second until the rest is there, and may be stopped meanwhile."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """The command. Ctrl-C while it is still being read ends it as it ends any program, without a traceback."""
    _open_streams()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # a shell lets what it starts in the background ignore it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from proxy import cli

    signal.signal(signal.SIGINT, before)
    cli.main()


def _open_streams() -> None:
    """Whoever starts a program may have closed its standard streams; the next file or socket would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 -- as long as the program runs


if __name__ == "__main__":
    main()
