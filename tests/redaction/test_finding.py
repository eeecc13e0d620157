from redaction.finding import Finding, Hit, counted, resolve


def at(start: int, end: int, kind: str = "A", score: float = 0.5) -> Finding:
    return Finding(kind, start, end, score, kind.lower())


def spans(findings: list[Finding]) -> list[tuple[str, int, int]]:
    return [(f.kind, f.start, f.end) for f in findings]


def test_findings_apart_stay_and_come_in_order() -> None:
    assert spans(resolve([at(9, 12), at(0, 3), at(3, 5)])) == [("A", 0, 3), ("A", 3, 5), ("A", 9, 12)]


def test_overlapping_findings_become_one_that_covers_all_under_the_higher_score() -> None:
    assert spans(resolve([at(0, 6, "LOW", 0.3), at(4, 9, "HIGH", 0.8)])) == [("HIGH", 0, 9)]


def test_a_chain_of_overlaps_becomes_one() -> None:
    assert spans(resolve([at(0, 4), at(3, 8), at(7, 9), at(9, 10)])) == [("A", 0, 9), ("A", 9, 10)]


def test_with_equal_scores_the_longer_names_the_kind_and_then_the_alphabet() -> None:
    assert spans(resolve([at(0, 3, "SHORT"), at(1, 9, "LONG")])) == [("LONG", 0, 9)]
    assert spans(resolve([at(0, 3, "B"), at(0, 3, "A")])) == [("A", 0, 3)]


def test_the_order_of_the_input_does_not_matter() -> None:
    findings = [at(0, 6, "LOW", 0.3), at(4, 9, "HIGH", 0.8), at(20, 22), at(5, 7, "IN", 0.5)]
    assert resolve(findings) == resolve(findings[::-1])


def test_nothing_gives_nothing() -> None:
    assert resolve([]) == []


def test_findings_are_counted_by_kind() -> None:
    found = [Finding("A", 0, 1, 1.0, "a"), Finding("B", 2, 3, 1.0, "b")]
    assert counted([Hit(0, 9, False, False, found), Hit(9, 12, False, False, found[:1])]) == {"A": 2, "B": 1}
