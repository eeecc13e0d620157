from __future__ import annotations

from threading import Thread
from types import SimpleNamespace

import pytest

from proxy.telemetry.attributes import of_attempt
from proxy.telemetry.metrics import BOUNDS, MOST_SERIES, OVERFLOW, CallMetrics, Counter, Family, Histogram, Series
from tests.proxy.collecting import TOOL, finished, refused

FAMILY = Family("toolwall.some", "Something.", "s", ("one", "two"))


def known() -> CallMetrics:
    metrics = CallMetrics()
    metrics.rules("rev-1", [TOOL])
    return metrics


def series(metrics: CallMetrics, name: str) -> list[Series]:
    return next(metric.series() for metric in metrics.all if metric.family.name == name)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (BOUNDS[0], 0), (BOUNDS[0] * 1.01, 1), (10.0, len(BOUNDS) - 1), (11.0, len(BOUNDS))],
)
def test_a_bound_belongs_to_its_own_bucket(seconds: float, bucket: int) -> None:
    histogram = Histogram(FAMILY)
    histogram.observe(("a", "b"), seconds)
    (only,) = histogram.series()
    assert [place for place, count in enumerate(only.buckets) if count] == [bucket]
    assert only.value == seconds


def test_a_counter_adds_up_for_each_label_set() -> None:
    counter = Counter(FAMILY)
    for labels, amount in ((("a", "b"), 1), (("a", "b"), 2.5), (("a", "c"), 1)):
        counter.add(labels, amount)
    assert counter.series() == [Series(("a", "b"), 3.5), Series(("a", "c"), 1)]


def test_label_sets_beyond_the_bound_are_counted_together_and_none_is_lost() -> None:
    counter, histogram = Counter(FAMILY), Histogram(FAMILY)
    for number in range(MOST_SERIES + 500):
        counter.add((str(number), ""))
        histogram.observe((str(number), ""), 1.0)
    for made in (counter.series(), histogram.series()):
        assert len(made) == MOST_SERIES + 1
        assert made[-1].labels == (OVERFLOW, OVERFLOW)
        assert made[-1].value == 500
    counter.add(("7", ""))
    assert counter.series()[7].value == 2


def test_threads_lose_no_count() -> None:
    histogram = Histogram(FAMILY)
    threads = [Thread(target=lambda: [histogram.observe(("a", "b"), 0.01) for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(histogram.series()[0].buckets) == 20_000


def test_an_allowed_call_is_timed_and_its_redactions_are_counted() -> None:
    metrics = known()
    assert metrics.count(finished()) == TOOL
    assert series(metrics, "gen_ai.execute_tool.duration")[0].labels == (TOOL, "allow", "", "")
    assert series(metrics, "gen_ai.execute_tool.duration")[0].value == 0.005
    assert series(metrics, "toolwall.clean.duration") == [
        Series((TOOL,), 0.0004, tuple(1 if bound == BOUNDS[0] else 0 for bound in (*BOUNDS, 0)))
    ]
    assert series(metrics, "toolwall.redactions") == [Series(("EMAIL_ADDRESS",), 2)]
    assert series(metrics, "toolwall.refusals") == []
    assert series(metrics, "toolwall.passed_unchecked") == []


def test_a_refusal_is_counted_by_code() -> None:
    metrics = known()
    for _ in range(3):
        metrics.count(refused("schema_violation", 422))
    metrics.count(refused("internal", 500))
    found = {one.labels: one.value for one in series(metrics, "toolwall.refusals")}
    assert found == {("schema_violation", TOOL): 3, ("internal", TOOL): 1}
    assert [one.labels for one in series(metrics, "gen_ai.execute_tool.duration")] == [
        (TOOL, "deny", "schema_violation", ""),
        (TOOL, "deny", "internal", "internal"),
    ]


def test_replies_off_their_contract_are_counted_once_each() -> None:
    metrics = CallMetrics()
    metrics.rules("r1", [TOOL])
    metrics.count(finished())
    metrics.count(finished(deviations=["/a: type", "/b: type"]))
    assert series(metrics, "toolwall.reply.deviations") == [Series((TOOL,), 1)]


def test_calls_passed_unchecked_are_counted_once_each() -> None:
    metrics = known()
    metrics.count(finished(passed_unchecked=["clean", "size"]))
    assert series(metrics, "toolwall.passed_unchecked") == [Series((TOOL,), 1)]


def test_a_name_that_the_rules_do_not_hold_is_no_label() -> None:
    metrics = known()
    for number in range(100):
        assert metrics.count(refused("unknown_tool", 403, tool=f"guess-{number}")) == "unknown"
    assert [one.labels[0] for one in series(metrics, "gen_ai.execute_tool.duration")] == ["unknown"]


def test_before_any_rules_every_tool_is_unknown_and_no_revision_is_told() -> None:
    metrics = CallMetrics()
    assert metrics.count(finished()) == "unknown"
    assert series(metrics, "toolwall.rules") == []


def test_new_rules_replace_the_old_revision() -> None:
    metrics = known()
    metrics.rules("rev-2", ["kb.search"])
    assert series(metrics, "toolwall.rules") == [Series(("rev-2",), 1)]
    assert metrics.count(finished()) == "unknown"


def test_requests_to_backends_are_timed_by_where_they_went_and_how_they_ended() -> None:
    metrics = known()
    where = of_attempt("POST", "crm.internal", 443, "/refunds")
    ended = [
        SimpleNamespace(attributes=where, status=201, error="", seconds=0.2),
        SimpleNamespace(attributes=where, status=0, error="timeout", seconds=10.5),
    ]
    metrics.count_attempts(TOOL, ended)
    assert [(one.labels, one.value) for one in series(metrics, "http.client.request.duration")] == [
        (("POST", "crm.internal", "443", "201", "", TOOL), 0.2),
        (("POST", "crm.internal", "443", "", "timeout", TOOL), 10.5),
    ]


def test_messages_are_timed_by_method_and_only_calls_of_tools_as_such() -> None:
    metrics = known()
    metrics.count(finished(mcp={"method": "tools/call", "revision": "2026-07-28"}))
    metrics.count(finished(mcp={"method": "prompts/get", "error": "-32603"}))
    metrics.count(refused("bad_request", 400, tool="", mcp={"method": "unknown", "error": "-32700"}))
    assert [one.labels for one in series(metrics, "mcp.server.operation.duration")] == [
        ("tools/call", TOOL, "", "2026-07-28", "", "", "allow", ""),
        ("prompts/get", "", TOOL, "", "-32603", "-32603", "allow", ""),
        ("_OTHER", "", "", "", "-32700", "", "deny", "bad_request"),
    ]
    assert [one.labels for one in series(metrics, "gen_ai.execute_tool.duration")] == [(TOOL, "allow", "", "")]
