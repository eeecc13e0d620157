"""`make eval`: what the detectors find in real-world corpora, and what they hit in error.

The corpora are read from the folder that TOOLWALL_CORPORA names, else from `../shared/data` beside the checkout.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from redaction.profiles import kinds_of
from redaction.report import findings_json
from redaction.scanner import Scanner

ROOT = Path(__file__).parents[1]
CORPORA = Path(os.environ.get("TOOLWALL_CORPORA") or ROOT.parent / "shared" / "data")
KINDS = ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "PHONE_NUMBER")


def records(name: str) -> Iterator[dict[str, Any]]:
    for path in sorted((CORPORA / name).glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def sentences(scanner: Scanner) -> Table:
    """Labelled sentences: of each kind how many spans were found, and how many findings were right."""
    gold, hit, found, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for record in records("pii/presidio_synth"):
        spans = [span for span in record["spans"] if span[0] in KINDS]
        findings = scanner.find(record["text"])
        for kind, start, end in spans:
            gold[kind] += 1
            hit[kind] += any(each.start < end and start < each.end for each in findings)
        for each in findings:
            found[each.kind] += 1
            right[each.kind] += any(each.start < end and start < each.end for _, start, end in record["spans"])
    table = Table("kind", "spans", "found", "recall", "findings", "right", "precision", title="labelled sentences")
    for kind in KINDS:
        recall, precision = hit[kind] / max(1, gold[kind]), right[kind] / max(1, found[kind])
        counts = (gold[kind], hit[kind], f"{recall:.1%}", found[kind], right[kind], f"{precision:.1%}")
        table.add_row(kind, *map(str, counts))
    return table


def secrets(scanner: Scanner) -> Table:
    """Secrets of other scanners' test suites. This version knows vendor-prefixed formats only."""
    table = Table("set", "positives", "found", "recall", title="secrets")
    for folder in sorted((CORPORA / "secrets").iterdir()):
        positives = [record for record in records(f"secrets/{folder.name}") if record.get("label") == "positive"]
        found = sum(bool(scanner.find(record["text"])) for record in positives)
        if positives:
            table.add_row(folder.name, str(len(positives)), str(found), f"{found / len(positives):.1%}")
    return table


def benign(scanner: Scanner) -> Table:
    """Real answers of tools: what would be taken out of them."""
    kinds, touched, total = Counter[str](), 0, 0
    for record in records("benign/tool_results"):
        found = findings_json(record["text"], scanner)
        kinds.update(row["kind"] for row in found)
        touched += bool(found)
        total += 1
    table = Table("kind", "findings", title=f"real answers of tools: {touched} of {total} touched")
    for kind, count in kinds.most_common():
        table.add_row(kind, str(count))
    return table


def main() -> int:
    """Print the tables. Returns 2 where there are no corpora."""
    if not CORPORA.is_dir():
        print("There are no corpora: name their folder in TOOLWALL_CORPORA.", file=sys.stderr)
        return 2
    scanner, console = Scanner(kinds_of("standard")), Console()
    for part in (sentences, secrets, benign):
        console.print(part(scanner))
    return 0


if __name__ == "__main__":
    sys.exit(main())
