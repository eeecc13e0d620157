from __future__ import annotations

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from proxy.telemetry.exposition import prometheus
from proxy.telemetry.metrics import BOUNDS, CallMetrics, Counter, Family, Histogram, Reading
from tests.proxy.collecting import TOOL, finished, refused


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = [sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}


def test_a_histogram_is_cumulative_and_ends_with_all() -> None:
    histogram = Histogram(Family("toolwall.wait", "Waiting.", "s", ("toolwall.kind",)))
    for seconds in (0.0001, 0.003, 0.003, 60.0):
        histogram.observe(("a",), seconds)
    found = samples(prometheus([histogram]))
    name, label = "toolwall_wait_seconds", ("toolwall_kind", "a")
    limits = [found[f"{name}_bucket", tuple(sorted((label, ("le", str(bound)))))] for bound in BOUNDS]
    assert limits == [1 if bound < 0.003 else 3 for bound in BOUNDS]
    assert found[f"{name}_bucket", (("le", "+Inf"), label)] == 4
    assert found[f"{name}_count", (label,)] == 4
    assert found[f"{name}_sum", (label,)] == 0.0001 + 0.003 + 0.003 + 60.0


def test_counters_end_in_total_and_gauges_do_not() -> None:
    counter = Counter(Family("toolwall.refusals", "Refused.", "{call}", ("toolwall.code",)))
    counter.add(("denied",), 3)
    gauge = Reading(Family("toolwall.rules", "Rules.", "1", ("toolwall.revision",)), "gauge", lambda: {("r1",): 1})
    assert samples(prometheus([counter, gauge])) == {
        ("toolwall_refusals_total", (("toolwall_code", "denied"),)): 3,
        ("toolwall_rules", (("toolwall_revision", "r1"),)): 1,
    }


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    nasty = 'a"} 1\nevil{x="\\'
    counter = Counter(Family("toolwall.refusals", "Refused.", "{call}", ("toolwall.code",)))
    counter.add((nasty,))
    assert samples(prometheus([counter])) == {("toolwall_refusals_total", (("toolwall_code", nasty),)): 1}


def test_two_toolwalls_in_one_process_count_apart_and_leave_the_global_registry_alone() -> None:
    before = {family.name for family in REGISTRY.collect()}
    one, two = CallMetrics(), CallMetrics()
    for metrics in (one, two):
        metrics.rules("rev-1", [TOOL])
    one.count(refused("denied", 403))
    two.count(finished())
    assert b"toolwall_refusals_total{" in prometheus(one.all)
    assert b"toolwall_refusals_total{" not in prometheus(two.all)
    assert {family.name for family in REGISTRY.collect()} == before
