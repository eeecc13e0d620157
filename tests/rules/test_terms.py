"""Terms: what a tool or backend says of timeouts, retries, breaker and bulkhead, and what holds where it is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load import RulesError, load
from rules.terms import Breaker, Bulkhead, Probe, Retry, Waits
from rules.tools import Catalog


def loaded(folder: Path, backend: str = "", tool: str = "", effect: str = "read") -> Catalog:
    (folder / "b.yaml").write_text(
        f"backend: b\nurl: http://b.test\n{backend}\ntools:\n"
        f'  t: {{says: "T.", call: "POST /t", effect: {effect}{", " * bool(tool)}{tool}}}\n'
    )
    return load(folder).catalog


@pytest.mark.parametrize(("effect", "total"), [("read", 30), ("write", 60), ("irreversible", 60), ("admin", 60)])
def test_a_write_may_take_longer_than_a_read(tmp_path: Path, effect: str, total: int) -> None:
    tool = loaded(tmp_path, effect=effect).tools["b.t"]
    assert (tool.timeout_s, tool.waits) == (total, Waits())


@pytest.mark.parametrize(
    ("backend", "tool", "total", "waits"),
    [
        ("timeout: 7s", "", 7, Waits()),
        ("timeout: 7s", "timeout: 3s", 3, Waits()),
        ("timeout: 7s", "timeout: {idle: 2m}", 7, Waits(idle_s=120)),
        ("timeout: {connect: 1s, total: 9s}", "timeout: 3s", 3, Waits(connect_s=1)),
        ("timeout: {first_byte: 4s}", "timeout: {connect: 500ms}", 30, Waits(0.5, 4)),
    ],
)
def test_a_tool_goes_before_its_backend_key_by_key(
    tmp_path: Path, backend: str, tool: str, total: float, waits: Waits
) -> None:
    made = loaded(tmp_path, backend, tool).tools["b.t"]
    assert (made.timeout_s, made.waits) == (total, waits)


@pytest.mark.parametrize(
    ("backend", "tool"), [("timeout: {first_byte: 2s, total: 1s}", ""), ("", "timeout: {connect: 2s, total: 1s}")]
)
def test_a_phase_longer_than_the_total_is_an_error(tmp_path: Path, backend: str, tool: str) -> None:
    with pytest.raises(RulesError, match="is longer than `total`") as caught:
        loaded(tmp_path, backend, tool)
    assert len(caught.value.problems) == 1


def test_retries_are_said_key_by_key(tmp_path: Path) -> None:
    assert loaded(tmp_path).tools["b.t"].retry == Retry(2, 0.2, 5.0)
    made = loaded(tmp_path, "retry: {attempts: 4, most_wait: 1s}", "retry: {attempts: 1}").tools["b.t"]
    assert made.retry == Retry(1, 0.2, 1.0)


def test_a_breaker_has_defaults_shares_and_can_be_off(tmp_path: Path) -> None:
    assert loaded(tmp_path).backends["b"].breaker == Breaker()
    said = "breaker: {failures: 25%, slow: 90%, slower_than: 2s, window: 8, open: 500ms, probes: 1}"
    assert loaded(tmp_path, said).backends["b"].breaker == Breaker(0.25, 0.9, 2.0, 8, 0.5, 1)
    assert loaded(tmp_path, "breaker: off").backends["b"].breaker is None


def test_a_bulkhead_has_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path).backends["b"].bulkhead == Bulkhead(50, 100, 2.0)
    said = "bulkhead: {at_once: 3, queue: 0, wait: 100ms}"
    assert loaded(tmp_path, said).backends["b"].bulkhead == Bulkhead(3, 0, 0.1)


def test_a_backend_is_probed_only_where_it_says_so(tmp_path: Path) -> None:
    assert loaded(tmp_path).backends["b"].probe is None
    assert loaded(tmp_path, "probe: /healthz?deep=1").backends["b"].probe == Probe("/healthz?deep=1", 10.0, 2.0)
    said = "probe: {path: /up, every: 100ms, timeout: 3s, status: [200, 204]}"
    assert loaded(tmp_path, said).backends["b"].probe == Probe("/up", 0.1, 3.0, frozenset({200, 204}))
    assert loaded(tmp_path, "probe: {path: /up, status: 503}").backends["b"].probe == Probe("/up", statuses={503})


@pytest.mark.parametrize(
    "wrong",
    [
        "timeout: {total: 0s}",
        "timeout: {}",
        "retry: {attempts: 0}",
        "retry: {tries: 3}",
        "breaker: {failures: 0%}",
        "breaker: {failures: 0.5}",
        "breaker: on",
        "breaker: {window: 1}",
        "bulkhead: {at_once: 0}",
        "probe: healthz",
        "probe: http://b.test/healthz",
        "probe: {every: 5s}",
        "probe: {path: '/a b'}",
        "probe: {path: '/a#b'}",
        'probe: {path: "/a\\r\\nX: y"}',
        "probe: {path: /a, every: 99ms}",
        "probe: {path: /a, every: 0s}",
        "probe: {path: /a, status: []}",
        "probe: {path: /a, status: 2XX}",
        "probe: {path: /a, status: 99}",
        "probe: /a\nbreaker: off",
    ],
)
def test_what_makes_no_sense_is_an_error(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(RulesError):
        loaded(tmp_path, wrong)
