"""Scans many documents, no two alike, and prints how large its process is on the way: a program for test_memory.py.

Arguments: how many documents to warm up with, how many to scan then, how many looks at the size.
"""

from __future__ import annotations

import gc
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from redaction.profiles import kinds_of
from redaction.scanner import Scanner

PAGE_KB = 4


def documents(seed: int) -> Iterator[tuple[bytes, str]]:
    """Bodies with their types, for ever: names, hosts, addresses, numbers and words that never came before."""
    chance = random.Random(seed)

    def word(size: int = 7) -> str:
        return "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(size))

    def figures(size: int) -> str:
        return "".join(chance.choice("0123456789") for _ in range(size))

    while True:
        host = f"{word()}.{word(4)}.example"
        flat = {
            f"{word()}_email": f"{word()}@{host}",
            word(): f"see https://{host}/{word()}/{figures(5)}?{word(4)}={word()}",
            "phone": f"+1 415 {figures(3)} {figures(4)}",
            f"{word()}Name": f"{word().title()} {word().title()}",
            "card": f"4111 1111 1111 {figures(4)}",
            word(): [int(figures(9)), {word(): figures(12), "ssn": f"{figures(3)}-{figures(2)}-{figures(4)}"}],
            "token": f"{word(20)}{figures(12)}{word(8).upper()}",
            "at": f"20{figures(2)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",
        }
        yield json.dumps(flat).encode(), "application/json"
        lines = [f"{key}: {value}" for key, value in flat.items()]
        yield "\n".join([*lines, f"{word()} é {word()} from 10.{figures(1)}.{figures(2)}.7"]).encode(), "text/plain"
        yield f"<{word()} {word()}='{word()}@{host}'>{word()} {word()}</{word()}>".encode(), "text/xml"
        yield f"{word()},email\n{word()},{word()}@{host}\n".encode(), "text/csv"


def resident_kb() -> int:
    """What the process holds now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KB


def main(warm: int, count: int, looks: int) -> None:
    scanner = Scanner(kinds_of("strict"))
    bodies = documents(7)
    found = 0
    for look in range(looks + 1):
        for _ in range(warm if look == 0 else count // looks):
            body, media_type = next(bodies)
            found += scanner.clean(body, media_type, None).counts.total()
        print(json.dumps({"resident_kb": resident_kb(), "found": found}), flush=True)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:4]))
