"""A test report in the JUnit format, as build servers read it (the common parts of Jenkins' and Ant's schemas)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (2.2) cannot hold, not even as a reference."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test: the file that it stands in, its name, how long it took, and why it failed (empty: it passed)."""

    file: str
    name: str
    seconds: float
    failure: str = ""


def junit(name: str, cases: Sequence[Case]) -> bytes:
    """The report of one suite as XML in UTF-8."""
    totals = {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failure) for case in cases)),
        "errors": "0",
        "skipped": "0",
        "time": _seconds(sum(case.seconds for case in cases)),
    }
    root = Element("testsuites", {key: value for key, value in totals.items() if key != "skipped"})
    suite = SubElement(root, "testsuite", {"name": _text(name), **totals})
    for case in cases:
        _add(suite, case)
    indent(root)
    body: str = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'.encode()


def _add(suite: Element, case: Case) -> None:
    said = {"classname": _text(case.file), "name": _text(case.name), "time": _seconds(case.seconds)}
    element = SubElement(suite, "testcase", said)
    if case.failure:
        failure = SubElement(element, "failure", {"message": _text(case.failure), "type": "example"})
        failure.text = _text(f"{case.file}: {case.name}: {case.failure}")


def _seconds(value: float) -> str:
    return f"{value:.6f}"


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
