"""A review as text, JSON and SARIF. SARIF is held to the essentials of the standard (OASIS SARIF 2.1.0)."""

import json
import re
from urllib.parse import unquote

import pytest

from rules.lint.findings import finding
from rules.lint.kinds import KINDS
from rules.lint.report import MOST_SHOWN, as_json, as_sarif, as_text, counts, of_problems
from rules.source import LoadProblem

MANY = [finding("says-short", ("a.yaml", line), f"crm.t{line}", "is described in 1 word") for line in range(1, 11)]
ONE = finding("when-wrong-type", ("p q.yaml", 3), "small", "compares args.n, an integer, with '5'")
WHOLE = finding("no-examples", ("", 0), "", "there are no examples")


def test_one_kind_is_told_once_with_its_first_places():
    lines = list(as_text([*MANY, ONE]))
    assert lines[0] == "error when-wrong-type: a condition compares what does not compare"
    assert lines[1] == "  p q.yaml:3: small compares args.n, an integer, with '5'"
    assert "note says-short (10): a description is too short" in lines
    assert sum("is described in" in line for line in lines) == MOST_SHOWN
    assert "  ... and 7 more in 1 file (--all shows them)" in lines
    assert sum(line.startswith("  why: ") for line in lines) == sum(line.startswith("  mend: ") for line in lines) == 2


def test_all_places_are_told_where_that_is_asked_for():
    lines = list(as_text(MANY, every=True))
    assert sum("is described in" in line for line in lines) == 10
    assert not any("more in" in line for line in lines)


def test_one_more_than_the_few_is_no_reason_to_hide_it():
    assert sum("is described in" in line for line in as_text(MANY[: MOST_SHOWN + 1])) == MOST_SHOWN + 1


def test_edits_that_differ_stand_with_their_places():
    two = [
        finding("many-tools", ("p.yaml", line), f"the role {line}", "sees 30 tools", f"edit {line}") for line in (1, 2)
    ]
    lines = list(as_text(two))
    assert "  p.yaml:1: the role 1 sees 30 tools -> edit 1" in lines
    assert not any(line.startswith("  mend: ") for line in lines)


def test_a_finding_about_the_whole_has_no_place():
    assert "  there are no examples" in as_text([WHOLE])


def test_levels_are_counted():
    assert counts([*MANY, ONE]) == {"error": 1, "warning": 0, "note": 10}


def test_json_holds_everything():
    made = json.loads(json.dumps(as_json([ONE, WHOLE], {"revision": "r"})))
    assert (made["revision"], made["counts"]) == ("r", {"error": 1, "warning": 0, "note": 1})
    assert made["findings"][0] == {
        "id": "when-wrong-type",
        "level": "error",
        "file": "p q.yaml",
        "line": 3,
        "about": "small",
        "text": "small compares args.n, an integer, with '5'",
        "why": KINDS["when-wrong-type"].why,
        "edit": KINDS["when-wrong-type"].edit,
    }
    assert (made["findings"][1]["file"], made["findings"][1]["line"]) == (None, None)


def valid_sarif(log):
    """The MUSTs of SARIF 2.1.0 for what we write (sections 3.13, 3.14, 3.19, 3.27, 3.28, 3.29, 3.30, 3.49)."""
    assert log["version"] == "2.1.0"
    assert re.fullmatch(r"https://\S+\.json", log["$schema"])
    (run,) = log["runs"]
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    driver = run["tool"]["driver"]
    assert driver["name"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for rule in driver["rules"]:
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        assert all(rule[word]["text"] for word in ("shortDescription", "fullDescription", "help"))
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        for location in result.get("locations", []):
            where = location["physicalLocation"]
            assert re.fullmatch(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/]+", where["artifactLocation"]["uri"])
            assert where["region"]["startLine"] >= 1
    return run["results"]


def test_sarif():
    results = valid_sarif(json.loads(json.dumps(as_sarif([ONE, WHOLE, *MANY], "deploy/my%20rules", "1.2"))))
    where = results[0]["locations"][0]["physicalLocation"]
    assert unquote(where["artifactLocation"]["uri"]) == "deploy/my rules/p q.yaml"
    assert where["region"] == {"startLine": 3}
    assert "locations" not in results[1]


def test_a_finding_keeps_its_fingerprint_when_lines_move():
    moved = finding("says-short", ("a.yaml", 99), "crm.t1", "is described in 1 word")
    log = as_sarif([MANY[0], moved, MANY[1]], "")
    first, second, other = (one["partialFingerprints"] for one in log["runs"][0]["results"])
    assert first == second != other


@pytest.mark.parametrize("base", ["", "rules", "rules/", "file:///srv/rules"])
def test_problems_of_loading_are_findings_too(base):
    (one,) = of_problems([LoadProblem("crm.yaml", 3, 5, "tools.t", "is an\nunknown key", "did you mean says?")])
    assert (one.id, one.level, one.place, one.advice) == ("broken-file", "error", "crm.yaml:3", "did you mean says?")
    assert one.text == "tools.t is an unknown key"
    valid_sarif(as_sarif([one], base))
