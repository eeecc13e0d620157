"""Metrics as the Prometheus text exposition. Imported at the first scrape: prometheus_client costs 30 ms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Exposed

from proxy.telemetry.metrics import BOUNDS, Metric, Series

_UNITS = {"s": "_seconds"}  # a unit in braces is a mere annotation and gives no suffix
_LIMITS = (*(str(bound) for bound in BOUNDS), "+Inf")


def prometheus(metrics: Iterable[Metric]) -> bytes:
    """`metrics` as text: dots become underscores, seconds end in `_seconds` and counters in `_total`."""
    return generate_latest(_Collected([_expose(metric) for metric in metrics]))


class _Collected:
    """Stands where prometheus_client expects its process-wide registry, which we leave alone."""

    def __init__(self, families: Sequence[Exposed]) -> None:
        self._families = families

    def collect(self) -> Sequence[Exposed]:
        return self._families


def _expose(metric: Metric) -> Exposed:
    family = metric.family
    name = family.name.replace(".", "_") + _UNITS.get(family.unit, "")
    labels = [label.replace(".", "_") for label in family.labels]
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(name, family.says, labels=labels)
        for series in metric.series():
            histogram.add_metric(series.labels, _buckets(series), series.value)
        return histogram
    plain = (CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily)(name, family.says, labels=labels)
    for series in metric.series():
        plain.add_metric(series.labels, series.value)
    return plain


def _buckets(series: Series) -> list[tuple[str, float]]:
    return list(zip(_LIMITS, accumulate(series.buckets), strict=True))
