"""The state folder and the key of this sidecar.

Everything that the sidecar keeps lies in one folder of mode 0700, and one 32-byte key protects it: each use
derives a key of its own from it, so none of them gives away another.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

KEY_BYTES = 32
KEY_FILE = "state.key"
"""The key made at first start: 64 hexadecimal digits and a line break, mode 0600."""

KEYED_FILES = ("ledger.head", "store.db")
"""What lies in the state folder and is of no use without the key under which it was written."""

_READ_MOST = 4096  # more than a key: a longer file is refused, not cut
_OTHERS_MAY_WRITE = 0o022
_OWN_FILE = 0o077  # our own file: nobody else at all
_GIVEN_FILE = 0o037  # Kubernetes mounts secrets readable by the pod's group

LEDGER_HEAD = "ledger head"
CHECKPOINTS = "ledger checkpoints"
ARGUMENTS_HASH = "arguments hash"
REWRITING = "rewritten findings"
STORE = "encrypted table"
SURROGATES = "surrogates"
TOKENS = "tokens of servers"


class StateError(Exception):
    """The state folder or its key cannot be used. The message says why and what to do, and holds no key."""


class StateKey:
    """The secret of one sidecar. It is never shown; only keys derived from it leave this object."""

    __slots__ = ("__secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise StateError(f"a state key has {KEY_BYTES} bytes, not {len(secret)}")
        self.__secret = secret

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, always the same ones (HKDF-Expand of RFC 5869 with the purpose as its info)."""
        return hmac.digest(self.__secret, b"toolwall 1 " + purpose.encode() + b"\x01", "sha256")

    def __repr__(self) -> str:
        return "StateKey(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a state key is not copied or pickled")


def state_folder(folder: Path) -> Path:
    """The folder, made with mode 0700 where it is missing. StateError where others may write to it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise StateError(f"cannot use the state folder {folder}: {error.strerror}") from None
    if mode & _OTHERS_MAY_WRITE:
        raise StateError(
            f"others may write to the state folder {folder} (mode {stat.S_IMODE(mode):04o}): chmod it to 0700, "
            "or name a folder inside it, which is then made with that mode"
        )
    return folder


def load_key(
    spec: str,
    folder: Path,
    environ: Mapping[str, str],
    *,
    make: bool = False,
    vault: Callable[[str], str] | None = None,
) -> StateKey:
    """The key that `spec` names: "" for `state.key` in the state folder, `env:NAME`, `file:PATH` or `vault:PLACE`,
    which `vault` reads.

    Wherever it stands, the key is 64 hexadecimal digits. With `make`, a `state.key` that is missing is made, but not
    where files were written under another: a new one could not prove them. StateError where the key is missing, of a
    wrong length, or in a file that others may read.
    """
    scheme, _, name = spec.partition(":")
    if not spec:
        return _parse(_own_file(folder / KEY_FILE, make), str(folder / KEY_FILE))
    if scheme == "env" and name:
        return _parse(environ.get(name, ""), f"the environment variable {name}")
    if scheme == "file" and name:
        return _parse(_read(Path(name), _GIVEN_FILE), name)
    if scheme == "vault" and name and vault:
        return _parse(vault(spec), spec)
    known = "env:NAME, file:PATH or vault:MOUNT/PATH#FIELD"
    raise StateError(f'state key: must be {known}, or be left out to use "state.key" in the state folder')


def _parse(text: str, where: str) -> StateKey:
    digits = text.strip()
    if len(digits) == 2 * KEY_BYTES and digits.isascii():
        with contextlib.suppress(ValueError):
            return StateKey(bytes.fromhex(digits))
    raise StateError(f"{where} must hold a key of {2 * KEY_BYTES} hexadecimal digits; `openssl rand -hex 32` makes one")


def _own_file(path: Path, make: bool) -> str:
    if make and not os.path.lexists(path):
        if kept := [name for name in KEYED_FILES if path.with_name(name).is_file()]:
            raise StateError(
                f"there is no state key {path}, and what lies beside it was written under one ({', '.join(kept)}): "
                "bring it back; or move the whole folder away, which begins a new ledger and forgets what was done"
            )
        _make(path)
    return _read(path, _OWN_FILE)


def _make(path: Path) -> None:
    """Write a new key beside `path` and link it there: it appears as a whole, and never replaces another."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first; its key counts
            os.link(fresh, path)
        sync(path.parent)
    except OSError as error:
        raise StateError(f"cannot make the state key {path}: {error.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk: else a crash may take them back."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path, forbidden: int) -> str:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        reason = "there is none" if error.errno == errno.ENOENT else error.strerror
        raise StateError(f"cannot read the state key {path}: {reason}") from None
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise StateError(f"the state key {path} is no regular file")
        if status.st_mode & forbidden:
            raise StateError(f"others may read the state key {path}; let `chmod 600` mend that, or make a new key")
        return os.read(file, _READ_MOST).decode("latin-1")
    finally:
        os.close(file)
