"""`toolwall catalog`: the tool catalogue and risk matrix as a document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proxy.commands.common import USAGE, fail
from proxy.commands.rules import Folder, load_rules

FORMATS = ("markdown", "html")


def catalog(
    folder: Folder = Path("rules"),
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file, not to the terminal.")] = None,
    format: Annotated[str, typer.Option(help="markdown or html; html where --out ends with .html.")] = "",
) -> None:
    """Write the tool catalogue: what each tool is for, what it does to the world, who may use it on what terms."""
    from rules.catalog import catalog as contents
    from rules.catalog_html import html
    from rules.catalog_markdown import markdown

    chosen = format or ("html" if out and out.suffix.lower() in (".html", ".htm") else "markdown")
    if chosen not in FORMATS:
        fail(f"--format is one of {', '.join(FORMATS)}.", USAGE)
    document = contents(load_rules(folder))
    text = html(document) if chosen == "html" else markdown(document)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"Cannot write {out}: {error.strerror}.")
    typer.echo(f"{len(document.entries)} tools are in {out}")
