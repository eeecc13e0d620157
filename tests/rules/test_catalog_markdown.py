from __future__ import annotations

import pytest

from rules.catalog import catalog
from rules.catalog_markdown import code, escaped, markdown
from tests.rules.helpers import CRM, ruleset
from tests.rules.test_catalog import POLICY


@pytest.fixture
def page(tmp_path):
    return markdown(catalog(ruleset(tmp_path, POLICY)))


def test_the_matrix(page):
    assert "| who | admin (1) | irreversible (1) | write (1) | read (2) |\n|---|---|---|---|---|\n" in page
    assert "| role support | - | 1 (1) | 1 | 2 |\n" in page


def test_who_may_use_what(page):
    assert "| tool | effect | role boss | role root, agent ops | role sales | role support |\n" in page
    assert "| `crm.refund` | irreversible | approval | - | - | approval |\n" in page
    assert "| `crm.search` | read | - | - | if | yes |\n" in page


def test_a_tool(page):
    section = page.partition("### `crm.refund`: irreversible\n")[2].partition("###")[0]
    assert section.splitlines()[1:-1] == [
        "Pay money back.",
        "",
        "- Call: `POST /refunds`, declared in `crm.yaml:17`",
        "- Allowed to roles boss or support; after an approval by boss within 1h (rule `large`, `policy.yaml:5`)",
        "- Allowed to role support; if amount_cents is at most 100: `args.amount_cents <= 100`; **without the approval "
        "that its effect asks for**, because: tiny (rule `small`, `policy.yaml:4`)",
        "- **Denied** to user eve, and whoever's user is unknown (rule `no-eve`, `policy.yaml:11`)",
        "- Taken out of answers: the profile standard",
        "- Reply contract: none: answers may look like anything",
        "- Limits: the backend may take 1m, an answer may have 4 MiB",
    ]


def test_what_nobody_may_call_stands_apart(tmp_path):
    page = markdown(catalog(ruleset(tmp_path, "rules: [{id: a, allow: crm.search}]")))
    above, _, below = page.partition("## Tools that nobody may call")
    assert "`crm.wipe`" not in above
    assert "- `crm.wipe` (admin): Delete everything.\n" in below
    assert "`crm.search`" not in below


def test_without_rules_every_tool_is_out_of_reach(tmp_path):
    page = markdown(catalog(ruleset(tmp_path, "examples: [{as: {}, call: crm.search, expect: deny}]")))
    assert "## Tools\n" not in page
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, with a name_like_this (and that).", "plain text, with a name_like_this (and that)."),
        ("a *b* _c_ `d` ~~e~~", "a \\*b\\* \\_c\\_ \\`d\\` \\~\\~e\\~\\~"),
        ("<script>x</script>", "\\<script\\>x\\</script\\>"),
        ("![x](http://x.test/a.png)", "!\\[x\\](http\\://x.test/a.png)"),
        ("see https://x.test or www.x.test or a@x.test", "see https\\://x.test or www\\.x.test or a\\@x.test"),
        ("a | b &amp; c $x$ \\d", "a \\| b \\&amp; c \\$x\\$ \\\\d"),
        ("# head", "\\# head"),
        ("- item", "\\- item"),
        ("+ item", "\\+ item"),
        ("1. item", "1\\. item"),
        ("12) item", "12\\) item"),
        ("=====", "\\====="),
        ("---", "\\---"),
        ("> quote", "\\> quote"),
        ("two\n\n## lines\r\n\tthree", "two ## lines three"),
        ("\x1b[2J\u202eevil\x00", "\\\\x1b\\[2J\\\\u202eevil\\\\x00"),
    ],
)
def test_no_text_marks_anything_up(text, shown):
    assert escaped(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a || b", "`a || b`"),
        ("a`b", "``a`b``"),
        ("``", "``` `` ```"),
        ("a\n b\u202e", "`a b\\u202e`"),
    ],
)
def test_code_stays_code(text, shown):
    assert code(text) == shown


def test_texts_of_others_do_not_break_out(tmp_path):
    crm = CRM.replace("says: Find customers.", 'says: "x\\n# Head\\n| a | <img src=x> ![i](http://x.test)"')
    page = markdown(catalog(ruleset(tmp_path, POLICY, crm)))
    assert "\nx # Head \\| a \\| \\<img src=x\\> !\\[i\\](http\\://x.test)\n" in page
    assert sum(line.startswith("# ") for line in page.splitlines()) == 1
