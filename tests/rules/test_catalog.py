"""The content of the catalogue. What is expected was worked out from the rules by hand."""

from __future__ import annotations

import pytest

from rules.catalog import (
    ASKED,
    BOTH,
    BOUND,
    FREE,
    MOST_AUDIENCES,
    NOBODY,
    SOMETIMES,
    WORDS,
    catalog,
    whom,
)
from rules.rule import To
from tests.rules.helpers import CRM, ruleset

POLICY = """
    rules:
      - {id: read, allow: [crm.get_customer, crm.search], to: {roles: [support, sales]}, says: They read.}
      - {id: rename, allow: crm.rename, to: {roles: [support]}, when: args.id > 5}
      - {id: small, allow: crm.refund, to: {roles: [support]}, when: args.amount_cents <= 100, waive: {approval: tiny}}
      - id: large
        allow: crm.refund
        to: {roles: [support, boss]}
        require: {approval: {by: boss, within: 1h}}
      - {id: wipe, allow: crm.wipe, to: {roles: [root], agents: [ops]}}
      - {id: no-x, deny: crm.search, to: {roles: [sales]}, when: args.q == 'x'}
      - {id: no-eve, deny: 'crm.*', to: {users: [eve]}}
"""


def made(folder, policy=POLICY, crm=CRM):
    return catalog(ruleset(folder, policy, crm))


def cells(document):
    names = [one.name for one in document.audiences]
    return {
        entry.tool.short: {name: cell for name, cell in zip(names, entry.cells, strict=True) if cell}
        for entry in document.entries
    }


def test_audiences_are_those_whom_rules_name(tmp_path):
    assert [one.name for one in made(tmp_path).audiences] == [
        "role boss",
        "role root, agent ops",
        "role sales",
        "role support",
    ]
    open_to_all = made(tmp_path, "rules: [{id: a, allow: crm.search}, {id: b, allow: crm.wipe, to: {roles: [z]}}]")
    assert [one.name for one in open_to_all.audiences] == ["anyone", "role z"]


def test_who_may_use_what(tmp_path):
    assert cells(made(tmp_path)) == {
        "wipe": {"role root, agent ops": ASKED},
        "refund": {"role boss": ASKED, "role support": ASKED},
        "rename": {"role support": BOUND},
        "get_customer": {"role sales": FREE, "role support": FREE},
        "search": {"role sales": BOUND, "role support": FREE},
    }


@pytest.mark.parametrize(
    ("rules", "cell"),
    [
        ("{id: a, allow: crm.refund}", ASKED),
        ("{id: a, allow: crm.refund, waive: {approval: x}}", FREE),
        ("{id: a, allow: crm.refund, when: args.order_id == 1}", BOTH),
        ("{id: a, allow: crm.refund, waive: {approval: x}, when: args.order_id == 1}", BOUND),
        ("{id: a, allow: crm.refund, waive: {approval: x}}, {id: b, allow: crm.refund}", ASKED),
        (
            "{id: a, allow: crm.refund, waive: {approval: x}}, {id: b, allow: crm.refund, when: args.order_id == 1}",
            SOMETIMES,
        ),
        ("{id: a, allow: crm.refund}, {id: b, deny: crm.refund, when: args.order_id == 1}", BOTH),
        ("{id: a, allow: crm.refund}, {id: b, deny: crm.refund}", NOBODY),
        ("{id: a, allow: crm.refund}, {id: b, deny: crm.refund, to: {agents: [bot]}}", ASKED),
        ("{id: a, allow: crm.search}", FREE),
        ("{id: a, allow: crm.search, require: {approval: {by: x, within: 1m}}}", ASKED),
        ("{id: a, allow: crm.search}, {id: b, deny: crm.search, when: args.q == 'x'}", BOUND),
        (
            "{id: a, allow: crm.search}, "
            "{id: b, allow: crm.search, when: args.q == 'x', require: {approval: {by: x, within: 1m}}}",
            SOMETIMES,
        ),
    ],
)
def test_the_standing_of_anyone(tmp_path, rules, cell):
    document = made(tmp_path, f"rules: [{rules}]")
    tool = "refund" if "refund" in rules else "search"
    assert [WORDS[each] for each in cells(document)[tool].values()] == ([WORDS[cell]] if cell else [])


def test_the_gravest_and_most_open_come_first(tmp_path):
    assert [entry.tool.short for entry in made(tmp_path).entries] == [
        "wipe",
        "refund",
        "rename",
        "get_customer",
        "search",
    ]
    waived = "rules: [{id: a, allow: crm.zap, waive: {approval: x}}, {id: b, allow: crm.refund}]"
    crm = (
        CRM
        + "      zap: {call: DELETE /zap, effect: irreversible}\n      aaa: {call: DELETE /aaa, effect: irreversible}\n"
    )
    assert [entry.tool.short for entry in made(tmp_path, waived, crm).entries][:4] == ["wipe", "zap", "refund", "aaa"]


def test_counts_say_how_many_and_how_many_of_them_need_an_approval(tmp_path):
    document = made(tmp_path)
    support = [one.name for one in document.audiences].index("role support")
    assert document.counts(support, "irreversible") == (1, 1)
    assert document.counts(support, "read") == (2, 0)
    assert document.counts(support, "admin") == (0, 0)
    assert [document.total(effect) for effect in ("admin", "irreversible", "write", "read")] == [1, 1, 1, 2]


def test_what_rules_say_of_a_tool(tmp_path):
    entries = {entry.tool.short: entry for entry in made(tmp_path).entries}
    large, small = entries["refund"].grants
    assert (large.who, large.needs, large.waived) == ("roles boss or support", "an approval by boss within 1h", "")
    assert (small.condition, small.words) == ("args.amount_cents <= 100", "amount_cents is at most 100")
    assert (small.needs, small.waived, small.place) == ("", "tiny", "policy.yaml:4")
    (wipe,) = entries["wipe"].grants
    assert (wipe.who, wipe.needs) == ("role root, agent ops", "an approval by any approver within 15m")
    no_eve, no_x = entries["search"].denies
    assert no_eve.who == "user eve, and whoever's user is unknown"
    assert (no_x.who, no_x.words) == ("role sales", 'q is "x"')
    assert entries["search"].grants[0].says == "They read."


def test_whom():
    assert whom(To()) == "anyone"
    everything = To(frozenset("ba"), frozenset("c"), frozenset("d"), frozenset("fe"))
    assert whom(everything) == "roles a or b, agent c, user d, principals e or f"


def test_tools_that_nobody_may_call(tmp_path):
    document = made(
        tmp_path, "rules: [{id: a, allow: crm.search}, {id: b, deny: crm.search}, {id: c, allow: crm.wipe}]"
    )
    assert {entry.tool.short for entry in document.entries if entry.reachable} == {"wipe"}
    assert not any(
        entry.reachable for entry in made(tmp_path, "examples: [{as: {}, call: crm.search, expect: deny}]").entries
    )


def test_answers_limits_and_what_deserves_a_look(tmp_path):
    crm = CRM.replace(
        "effect: write", "effect: write\n        guessed: true\n        reply: {redact: off, most_bytes: 1000}"
    )
    crm = crm.replace("says: Rename a customer.", "timeout: 90s")
    crm = crm.replace(
        "says: Find customers.", "says: Find.\n        reply: {redact: [US_SSN, EMAIL_ADDRESS], on_error: pass}"
    )
    crm = crm.replace("says: Pay", "reply: {redact: secrets}\n        says: Pay")
    entries = {entry.tool.short: entry for entry in made(tmp_path, crm=crm).entries}
    assert entries["get_customer"].redacted == "the profile standard"
    assert entries["refund"].redacted == "the profile secrets"
    assert entries["search"].redacted == "EMAIL_ADDRESS, US_SSN"
    assert entries["rename"].redacted == "nothing: answers are not scanned"
    assert entries["rename"].limits == "the backend may take 90s, an answer may have 1000 bytes"
    assert entries["wipe"].limits == "the backend may take 1m, an answer may have 4 MiB"
    assert entries["search"].notes == ("answers that cannot be checked pass",)
    assert entries["rename"].notes == (
        "its effect was guessed by the importer; nobody has confirmed it",
        "its answers are not cleaned",
        "it does not say what it is for",
    )


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("enforce", "enforced, for 200, default"),
        ("report", "only reported, for 200, default"),
        ("off", "declared, but off, for 200, default"),
    ],
)
def test_reply_contracts(tmp_path, mode, says):
    replies = "replies: {default: {}, 200: {application/json: {type: object}}}"
    crm = CRM.replace("says: Find customers.", f"says: Find.\n        {replies}\n        reply: {{contract: {mode}}}")
    entries = {entry.tool.short: entry for entry in made(tmp_path, crm=crm).entries}
    assert entries["search"].contract == says
    assert entries["wipe"].contract == "none: answers may look like anything"


def test_more_audiences_than_anybody_reads_are_counted(tmp_path):
    roles = ", ".join(f"r{n}" for n in range(MOST_AUDIENCES + 5))
    document = made(tmp_path, f"rules: [{{id: a, allow: crm.search, to: {{roles: [{roles}]}}}}]")
    assert (len(document.audiences), document.left_out) == (MOST_AUDIENCES, 5)
    assert len(document.entries[0].cells) == MOST_AUDIENCES
    names = ", ".join(f"n{n}" for n in range(300))
    policy = f"rules: [{{id: a, allow: crm.search, to: {{roles: [{names}], agents: [{names}], users: [{names}]}}}}]"
    assert made(tmp_path, policy).left_out < 1000


def test_a_manual_in_place_of_a_purpose_is_cut(tmp_path):
    crm = CRM.replace("tools:", f"says: {'word ' * 500}\n    tools:", 1)
    ((_, says, url),) = made(tmp_path, crm=crm).backends
    assert len(says) <= 300
    assert says.endswith("word ...")
    assert url == "https://crm.test/api"


def test_limits_are_told_and_are_no_approvals(tmp_path):
    from rules.catalog_html import html
    from rules.catalog_markdown import markdown

    crm = CRM.replace("    tools:", "    limit: 100/minute\n    tools:")
    rules = ruleset(tmp_path, "rules: [{id: r, allow: crm.search, require: {limit: 20/hour}}]", crm)
    found = catalog(rules)
    (entry,) = [each for each in found.entries if each.reachable]
    assert (entry.cells, entry.grants[0].needs) == ((FREE,), "")
    assert entry.grants[0].limits == "at most 20 calls in 1h for each principal and tool"
    assert entry.limits.endswith("at most 100 calls in 1m for all callers together (backend crm)")
    for page in (markdown(found), html(found)):
        assert "at most 20 calls in 1h" in page
        assert "at most 100 calls in 1m" in page
