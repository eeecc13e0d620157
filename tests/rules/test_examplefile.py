from datetime import UTC, datetime, timedelta

import pytest

from rules.returned import Reply, Returned
from tests.rules.helpers import CRM, problems, ruleset


def example(folder, text):
    (found,) = ruleset(folder, f"examples: [{{as: {{}}, call: crm.search, {text}}}]").examples
    return found


def test_the_least_that_an_example_says(tmp_path):
    one = example(tmp_path, "expect: deny")
    assert (one.at, one.peer, one.step, one.reply, one.returned) == (None, "", 1, None, None)


def test_when_where_from_and_at_which_step(tmp_path):
    one = example(tmp_path, "expect: deny, at: '2026-01-31T22:30:00+01:00', peer: '::1', step: 3")
    assert one.at == datetime(2026, 1, 31, 21, 30, tzinfo=UTC)
    assert one.at.utcoffset() == timedelta(hours=1)
    assert (one.peer, one.step) == ("::1", 3)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("reply: {body: {a: é}}", Reply(200, "application/json", '{"a": "é"}'.encode())),
        ("reply: {body: null}", Reply(200, "application/json", b"null")),
        (
            "reply: {status: 404, type: Application/Problem+JSON, body: []}",
            Reply(404, "application/problem+json", b"[]"),
        ),
        ("reply: {text: x}", Reply(200, "text/plain", b"x")),
        (
            "reply: {text: a=1, type: application/x-www-form-urlencoded}",
            Reply(200, "application/x-www-form-urlencoded", b"a=1"),
        ),
        ("reply: {status: 204}", Reply(204)),
    ],
)
def test_replies(tmp_path, text, reply):
    assert example(tmp_path, f"expect: allow, {text}, expect_reply: unchanged").reply == reply


def test_what_is_expected_of_a_reply(tmp_path):
    def expected(text):
        return example(tmp_path, f"expect: allow, reply: {{text: x}}, expect_reply: {text}").returned

    assert expected("unchanged") == Returned()
    assert expected("refused").refused
    assert expected("{redacted: {/a/0: US_SSN, '': [US_SSN, EMAIL_ADDRESS]}}").redacted == {
        "/a/0": {"US_SSN"},
        "": {"US_SSN", "EMAIL_ADDRESS"},
    }


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("expect: allow, at: 2026-01-31T22:30:00", "at", "a time with its zone"),
        ("expect: allow, at: 2026-01-31", "at", "a time with its zone"),
        ("expect: allow, at: 2026-02-30T22:30:00Z", "at", "is no time: day is out of range"),
        ("expect: allow, at: '2026-01-31T22:30:00+99:00'", "at", "is no time"),
        ("expect: allow, at: 5", "at", "a time with its zone"),
        ("expect: allow, peer: localhost", "peer", "an IP address"),
        ("expect: allow, step: 0", "step", "from 1 to"),
        ("expect: allow, reply: {text: x}", "reply", "needs the key expect_reply beside it"),
        ("expect: allow, expect_reply: unchanged", "expect_reply", "needs the key reply beside it"),
        ("expect: deny, reply: {text: x}, expect_reply: unchanged", "reply", "has no meaning with expect: deny"),
        ("expect: denied, reply: {text: x}, expect_reply: refused", "reply", "a refused call has no answer"),
        (
            "expect: allow, reply: {text: x, body: 1}, expect_reply: unchanged",
            "reply",
            "only one of the keys body, text",
        ),
        ("expect: allow, reply: {status: 100}, expect_reply: unchanged", "reply.status", "from 200 to 599"),
        ("expect: allow, reply: {type: json}, expect_reply: unchanged", "reply.type", "a media type"),
        ("expect: allow, reply: {text: x}, expect_reply: changed", "expect_reply", "did you mean unchanged?"),
        ("expect: allow, reply: {text: x}, expect_reply: {redacted: {}}", "expect_reply.redacted", "is empty"),
        (
            "expect: allow, reply: {text: x}, expect_reply: {redacted: {a: US_SSN}}",
            "expect_reply.redacted.a",
            "a JSON pointer",
        ),
        (
            "expect: allow, reply: {text: x}, expect_reply: {redacted: {/a: US_SNN}}",
            "expect_reply.redacted./a",
            "US_SSN",
        ),
    ],
)
def test_what_can_be_no_part_of_an_example(tmp_path, text, path, says):
    found = problems(tmp_path, crm=CRM, policy=f"examples: [{{as: {{}}, call: crm.search, {text}}}]")
    assert any(one.path == f"examples[0].{path}" and says in str(one) for one in found), [str(one) for one in found]


def test_an_example_may_name_no_tool_only_where_it_expects_that(tmp_path):
    for expect in ("unknown_tool", "deny"):
        policy = f"examples: [{{as: {{}}, call: crm.none, expect: {expect}}}]"
        assert ruleset(tmp_path, policy).examples[0].expect == expect
    (found,) = problems(tmp_path, crm=CRM, policy="examples: [{as: {roles: [x]}, call: crm.serch, expect: allow}]")
    assert (found.path, found.hint) == ("examples[0].call", "did you mean crm.search?")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{as: {}, call: crm.search, expect: allowed}", "must be one of"),
        ("{as: {}, call: crm.search, expect: internal}", "must be one of"),
        ("{call: crm.search, expect: allow}", "lacks the key as"),
        ("{as: {role: [x]}, call: crm.search, expect: allow}", "did you mean roles?"),
        ("{as: {}, call: crm.search, args: [1], expect: allow}", "must be a mapping"),
    ],
)
def test_what_can_be_no_example(tmp_path, text, says):
    found = problems(tmp_path, crm=CRM, policy=f"examples: [{text}]")
    assert any(says in str(one) for one in found)
