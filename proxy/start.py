"""Where the command begins: it takes some tenths of a second until the rest is there, and may be stopped meanwhile."""

from __future__ import annotations

import signal


def main() -> None:
    """The command. Ctrl-C while it is still being read ends it as it ends any program, without a traceback."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # a shell lets what it starts in the background ignore it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from proxy import cli

    signal.signal(signal.SIGINT, before)
    cli.main()


if __name__ == "__main__":
    main()
