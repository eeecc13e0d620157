from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from rules.catalog import catalog
from rules.catalog_html import html
from tests.rules.helpers import CRM, ruleset
from tests.rules.test_catalog import POLICY

VOID = {"meta"}


class Page(HTMLParser):
    """A strict look at a page: every tag is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))


@pytest.fixture
def source(tmp_path):
    return html(catalog(ruleset(tmp_path, POLICY)))


def test_it_says_what_the_rules_say(source):
    text = Page(source).text
    for said in (
        "role support; if amount_cents is at most 100: args.amount_cents <= 100; without the approval that its effect "
        "asks for, because: tiny (rule small, policy.yaml:4)",
        "roles boss or support; after an approval by boss within 1h (rule large, policy.yaml:5)",
        "Denied touser eve, and whoever's user is unknown (rule no-eve, policy.yaml:11)",
        "crm.refund irreversible",
        "Limitsthe backend may take 30s, an answer may have 4 MiB",
    ):
        assert said in text


def test_it_needs_nothing_from_anywhere(source):
    page = Page(source)
    assert {tag for tag, _ in page.tags}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "form", "base", "svg"}
    )
    assert not any(name in attributes for _, attributes in page.tags for name in ("src", "srcset", "style", "action"))
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(link["href"].startswith("#") for link in page.all("a"))
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none';")
    (style,) = re.findall("<style>(.*?)</style>", source, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_it_reads_aloud_and_on_paper(source):
    page = Page(source)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    assert len(page.all("caption")) == len(page.all("table")) == 2
    assert all(head["scope"] in ("col", "row") for head in page.all("th"))
    regions = [each for each in page.all("div") if each.get("role") == "region"]
    assert all(each["aria-label"] and each["tabindex"] == "0" for each in regions)
    for query in ("@media print", "prefers-color-scheme: dark"):
        assert query in source


def test_links_lead_to_sections_that_are_there_once(source):
    page = Page(source)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"] for link in page.all("a")} <= {f"#{id}" for id in ids}
    assert len(page.all("article")) == 5


def test_what_nobody_may_call_stands_apart(tmp_path):
    page = Page(html(catalog(ruleset(tmp_path, "rules: [{id: a, allow: crm.search}]"))))
    assert [article["id"] for article in page.all("article")] == ["crm.search"]
    assert "Tools that nobody may call" in page.text
    assert "crm.wipe admin Delete everything." in page.text


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", "</title><b>", "\\\" onclick=x '", "&lt;", "\\e[2J\\u202E\\0"]
)
def test_no_text_becomes_markup(tmp_path, evil):
    quoted = f'"{evil}"'
    crm = CRM.replace("says: Find customers.", f"says: {quoted}").replace("tools:", f"says: {quoted}\n    tools:", 1)
    policy = f"""
    rules:
      - {{id: a, allow: crm.search, says: {quoted}, to: {{roles: [{quoted}]}}}}
      - {{id: b, allow: crm.refund, waive: {{approval: {quoted}}}}}
      - {{id: c, allow: crm.rename, require: {{approval: {{by: {quoted}, within: 1m}}}}}}
    """
    source = html(catalog(ruleset(tmp_path, policy, crm)))
    plain = html(catalog(ruleset(tmp_path, policy.replace(quoted, "x"), crm.replace(quoted, "x"))))
    assert [tag for tag, _ in Page(source).tags] == [tag for tag, _ in Page(plain).tags]
    assert all(line.isprintable() for line in source.splitlines())
