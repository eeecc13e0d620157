"""The kill switch: while a file is there, every call is refused. What cannot be looked at counts as on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from proxy.replacing import replace_file

NAME: Final = "stop"
"""Its name in the state folder."""


class KillSwitch:
    """The switch of one sidecar. It is on while its file is there, or where it could not be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forced = ""

    def look(self) -> str:
        """Why it is on; empty where it is off."""
        try:
            os.lstat(self._path)
        except FileNotFoundError:
            return self._forced or self._unseen()
        except OSError as error:
            return f"it cannot be told whether {self._path} is there: {error.strerror}"
        return f"{self._path} is there"

    def _unseen(self) -> str:
        """A file that is not there says nothing where its folder is not there either: a volume may be missing."""
        try:
            os.stat(self._path.parent)
        except OSError as error:
            return f"the folder of {self._path} cannot be looked at: {error.strerror}"
        return ""

    def on(self, by: str) -> None:
        """Turn it on, also where the file cannot be written: then until it is turned off or the sidecar ends."""
        self._forced = f"{by}, and {self._path} could not be written, so a restart forgets it"
        try:
            turn_on(self._path, by)
        except OSError:
            return
        self._forced = ""

    def off(self) -> None:
        """Turn it off. Where the file cannot be taken away it stays on."""
        self._forced = ""
        try:
            turn_off(self._path)
        except OSError:
            return


def turn_on(path: Path, by: str) -> None:
    """Write the file; what stands in it is for people. Raises OSError."""
    if not os.path.lexists(path):
        replace_file(path, json.dumps({"by": by}).encode() + b"\n")


def turn_off(path: Path) -> bool:
    """Take the file away; whether there was one. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
