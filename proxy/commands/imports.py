"""`toolwall import`: contracts and starter rules from what others have written down."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.commands.common import USAGE, console, fail, say, visible

if TYPE_CHECKING:
    from rules.openapi import Document, Imported, Roles

MOST_SHOWN = 12
"""Warnings on the terminal; all of them stand in the files."""

Out = Annotated[Path, typer.Option("--out", "-o", help="The rules folder.")]
Reader = Annotated[str, typer.Option(help="The role that may read.")]
Writer = Annotated[str, typer.Option(help="The role that may write.")]
Approver = Annotated[str, typer.Option(help="The role that says yes to what cannot be taken back.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that differ, hand edits included.")]

importing = typer.Typer(help="Contracts and starter rules from what others have written down.", no_args_is_help=True)


@importing.command("openapi")
def openapi(
    spec: Annotated[Path, typer.Argument(help="The document: OpenAPI 3.0 or 3.1, or Swagger 2.0; JSON or YAML.")],
    out: Out = Path("rules"),
    name: Annotated[str, typer.Option(help="The backend's name; without it the document's title gives one.")] = "",
    url: Annotated[str, typer.Option(help="Where the API is, when the document does not say or names another.")] = "",
    reader: Reader = "reader",
    writer: Writer = "writer",
    approver: Approver = "approver",
    force: Force = False,
) -> None:
    """Turn an API's document into tools with contracts, and starter rules that allow little. Nothing is fetched."""
    from rules.openapi import BadDocument, Options, Roles, contracts, files

    if not all((reader, writer, approver)):
        fail("A role needs a name.", USAGE)
    gc.disable()  # one pass that keeps what it makes: looking for garbage would take a quarter of the time
    roles = Roles(reader, writer, approver)
    document = document_of(spec)
    try:
        imported = contracts(document, name, Options(url, roles))
        texts = files(imported, roles)
    except BadDocument as error:
        fail(str(error))
    except ValueError as error:
        fail(f"--url {error}.", USAGE)
    written = write(out, texts, force)
    _summary(imported, roles, out, written)


def document_of(spec: Path) -> Document:
    """A document with the files beside it, or an end that says why it cannot be read."""
    from rules.openapi import BadDocument, Document

    try:
        return Document(spec.name, _bytes(spec), _beside(spec.parent))
    except OSError as error:
        fail(f"Cannot read {spec}: {error.strerror or error}. Name a local file; nothing is fetched.")
    except BadDocument as error:
        fail(str(error))


def _beside(folder: Path) -> Callable[[str], bytes]:
    """Reads files in a folder, never outside of it."""
    root = folder.resolve()

    def fetch(path: str) -> bytes:
        file = (root / path).resolve()
        if not file.is_relative_to(root):
            raise PermissionError(None, "it lies outside of the document's folder")
        return _bytes(file)

    return fetch


def _bytes(file: Path) -> bytes:
    from rules.openapi.reading import MOST_BYTES

    if not file.is_file():
        raise FileNotFoundError(None, "it is no regular file" if file.exists() else "there is no such file")
    with file.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)


def write(folder: Path, texts: dict[str, str], force: bool) -> int:
    """Write files into a folder, each whole or not at all. Returns how many were new or changed.

    Ends where one that is there differs, before anything is written, unless `force`.
    """
    changed = {path: text.encode() for path, text in texts.items() if _differs(folder / path, text.encode())}
    there = [path for path in sorted(changed) if (folder / path).exists()]
    if there and not force:
        shown = "\n".join(f"  {folder / path}" for path in there[:MOST_SHOWN])
        more = f"\n  and {len(there) - MOST_SHOWN} more" if len(there) > MOST_SHOWN else ""
        fail(
            f"These files are there and differ:\n{shown}{more}\n"
            "Nothing was written. See what changed with `toolwall import diff`, write elsewhere with -o, "
            "or overwrite them with --force."
        )
    try:
        for path, data in changed.items():
            replace_file(folder / path, data)
    except OSError as error:
        fail(f"Cannot write {error.filename or folder}: {error.strerror}.")
    return len(changed)


def _differs(file: Path, data: bytes) -> bool:
    try:
        return file.read_bytes() != data
    except OSError:
        return True


def replace_file(file: Path, data: bytes) -> None:
    """Write a file beside its place, then move it there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _summary(imported: Imported, roles: Roles, out: Path, written: int) -> None:
    from rich import box
    from rich.table import Table

    terms = {
        "read": f"allowed to {roles.reader}",
        "write": f"allowed to {roles.writer}",
        "irreversible": f"allowed to {roles.writer}, when {roles.approver} says yes",
        "admin": "denied",
    }
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("effect (guessed)", "tools", "starter rule"):
        table.add_column(column)
    for effect, term in terms.items():
        if count := imported.count(effect):
            table.add_row(effect, str(count), visible(term))
    say(f"{imported.title} {imported.version} ({imported.dialect}): {len(imported.tools)} operations")
    if imported.tools:
        console().print(table)
    else:
        say("Nothing of it can be called: is it the whole document, with its `paths`?")
    _warnings(imported)
    say(f"{written} files written to {out}" if written else f"Nothing to write: {out} holds all of it already.")
    _next(imported, out)


def _warnings(imported: Imported) -> None:
    """What could not be taken over as it stands; each tool's is a comment beside it too."""
    told = [*imported.warnings, *(f"{tool}: {note}" for tool, notes in imported.notes.items() for note in notes)]
    if told:
        things = "1 thing" if len(told) == 1 else f"{len(told)} things"
        say(f"{things} to look at, as comments in {imported.name}.yaml too:")
    for one in told[:MOST_SHOWN]:
        say(f"  {one}")
    if len(told) > MOST_SHOWN:
        say(f"  and {len(told) - MOST_SHOWN} more")


def _next(imported: Imported, out: Path) -> None:
    folder = "" if out == Path("rules") else f" {out}"
    say(f"Next: look at the guessed effects in {out / imported.name}.yaml, then")
    say(f"  toolwall check{folder}")
    say(f"  toolwall test{folder}")
