from xml.etree.ElementTree import fromstring

import pytest

from rules.junit import Case, junit


def test_a_report_counts_and_names_every_case():
    root = fromstring(
        junit("all of it", [Case("a.yaml", "one", 0.25), Case("b.yaml", "two", 0.5, 'it is <odd> & "big"')])
    )
    assert (root.tag, root.attrib) == ("testsuites", {"tests": "2", "failures": "1", "errors": "0", "time": "0.750000"})
    (suite,) = root
    assert suite.tag == "testsuite"
    assert suite.attrib == {**root.attrib, "name": "all of it", "skipped": "0"}
    good, bad = suite
    assert good.attrib == {"classname": "a.yaml", "name": "one", "time": "0.250000"}
    assert list(good) == []
    (failure,) = bad
    assert failure.tag == "failure"
    assert failure.attrib == {"message": 'it is <odd> & "big"', "type": "example"}
    assert failure.text == 'b.yaml: two: it is <odd> & "big"'


def test_a_report_without_cases_is_one_too():
    (suite,) = fromstring(junit("none", []))
    assert suite.attrib["tests"] == "0"
    assert list(suite) == []


@pytest.mark.parametrize("text", ["\x00", "\x1b[2J", "\x0b", "\ud800", "\ufffe", "]]>", "<!--", "é😀", "a\nb\tc"])
def test_no_text_breaks_the_report(text):
    (suite,) = fromstring(junit(text, [Case(text, text, 0, text)]))
    (case,) = suite
    shown = {"\x00": "\\u0000", "\x1b[2J": "\\u001b[2J", "\x0b": "\\u000b", "\ud800": "\\ud800", "\ufffe": "\\ufffe"}
    for said in (suite.attrib["name"], case.attrib["name"], case.attrib["classname"], case[0].attrib["message"]):
        assert said == shown.get(text, text)


def test_it_is_utf_8_and_says_so():
    assert junit("é", []).startswith(b'<?xml version="1.0" encoding="utf-8"?>\n')
    assert "é".encode() in junit("é", [])
