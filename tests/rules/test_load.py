import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.load import MOST_BYTES, RulesError, load
from tests.counts import examples
from tests.rules.helpers import CRM, facts, problems, ruleset, write
from tests.rules.mutations import check_mutations, mutations

FULL = """
    backend: shop
    url: http://shop.test:8080/v1
    says: The shop.
    addresses: [10.0.0.0/8, 127.0.0.1]
    timeout: {connect: 2s, first_byte: 5s, idle: 8s, total: 10s}
    retry: {attempts: 3, wait: 100ms, most_wait: 2s}
    breaker: {failures: 40%, slower_than: 3s, slow: 70%, window: 30, open: 20s, probes: 2}
    trace: false
    bulkhead: {at_once: 20, queue: 40, wait: 1s}
    probe: {path: /healthz, every: 5s, timeout: 1s, status: 204}
    limit: {calls: 100/minute, per: backend}
    reply:
      redact: [EMAIL_ADDRESS]
      binary: hash
      except: [trace_id, {at: /id, kinds: [EMAIL_ADDRESS]}]
      only: [/orders]
      on_error: refuse
      most_bytes: 1MiB
      contract: report
      warn: HIGH_ENTROPY
      operators: {EMAIL_ADDRESS: {mask: x}, US_SSN: {presidio: sealed}}
      keep: [id, /orders/*/id]
      drop: note
      most: 20
      longest: 2000
      fit: 20KiB
    outgoing: {refuse: secrets, mask: [US_SSN], allow: [JWT]}
    restore: [EMAIL_ADDRESS]
    credential:
      - {send: bearer, from: caller}
      - {send: {header: X-Key}, from: caller}
      - send: {query: key}
        from: caller
      - {send: {cookie: kid}, from: caller}
    tools:
      find:
        says: Find orders.
        call: GET /orders
        picked_by: {query: {state: open}}
        args:
          state: {enum: [open, closed]}
          page: {type: integer, minimum: 1, maximum: 99, optional: true}
          ids: {type: array, items: {type: string}, optional: true}
          session: {type: string, optional: true}
          trace: {type: string, optional: true}
          more: {optional: true}
        in:
          state: query
          ids: {query: {name: "ids[]", style: form, explode: false}}
          session: {cookie: {name: sid}}
          trace: {header: {name: X-Trace}}
          more: {query: {json: true}}
        cache: {for: 60s, shared: true, stale: 10m}
        replies:
          "200": {application/json: {type: array, maxItems: 99}}
          4XX: {}
      put_file:
        call: PUT /files/{name}
        picked_by:
          header: {Toolwall-Tool: shop.put_file}
        input:
          type: object
          properties:
            name: {type: string, pattern: "^[a-z/]+$"}
            lines: {type: array, items: {type: string, maxLength: 80}}
          required: [name, lines]
          additionalProperties: false
        in: {name: {path: {encoded_slash: true, style: matrix}}, lines: {body: {name: rows}}}
        body: [application/json, multipart/form-data]
        effect: write
        guessed: true
        price: {from: /cost, most: 0.10 EUR}
        tokens: {from: /usage, most: 900}
        invalidates: [find]
        settle_by: {tool: find, with: {state: args.name}, done: status == 200, after: 5m}
        undo: {tool: put_file, with: {name: args.name, lines: "[]"}, within: 2h}
        repeatable: false
        idempotency: {key: "put-{args.name}", header: Idempotency-Key, window: 1h, not_done: [503]}
        timeout: 500ms
        reply: {redact: standard, operators: {EMAIL_ADDRESS: {replace: somebody}, PERSON: {pseudonym: realistic}}}
"""
OURS = """
    backend: pay
    url: https://pay.example.com
    credential:
      - {vault: secret/p#key, per: run, on_leak: revoke, send: {header: X-Pay, prefix: "Key "}, hosts: pay.example.com}
      - {env: PAY, send: {basic: ana}}
      - {file: {value: /run/pay}, send: {query: k}}
    tools: {ping: {call: GET /ping}}
"""
TOKENS = """
    backend: crm
    url: https://crm.example.com
    credential:
      file: /run/crm
      send:
        oauth2:
          url: https://login.example.com/token
          client_id: wall
          scope: crm.read
          audience: crm
          resource: https://crm.example.com
          client: body
          addresses: [10.0.0.0/8]
    tools: {ping: {call: GET /ping}}
"""
EXCHANGED = """
    backend: erp
    url: https://erp.example.com
    credential: {env: ERP, send: {exchange: {url: "https://login.example.com/token", client_id: wall}}}
    tools: {ping: {call: GET /ping}}
"""
SIGNED = """
    backend: aws
    url: https://abc.execute-api.eu-central-1.amazonaws.com
    credential: {env: {access_key: A, secret_key: S}, send: {sigv4: {region: eu-central-1, service: execute-api}}}
    tools: {ping: {call: GET /ping}}
"""
ALL = {"shop": FULL, "pay": OURS, "crm": TOKENS, "erp": EXCHANGED, "aws": SIGNED}
POLICY = """
    relations:
      owner: {says: Who owns it., pairs: {ann: [7]}}
      member: {file: data.json}
      keeper: {url: "https://who.test", addresses: [10.0.0.0/8], method: POST, answer: /ok, cache: 5s, timeout: 1s}
    budgets:
      all_of_it: {per: agent, each: day, calls: 100, bytes: 1MiB, time: 10m, tokens: 9000, money: 5 EUR}
    rules:
      - id: readers
        says: Readers may look.
        allow: [shop.find]
        to: {roles: [reader], agents: [bot], users: [ann], principals: [p1], whole_chain: true}
        when: args.state == "open"
      - id: writers
        allow: shop.put_file
        to:
          roles: writer
        require: {approval: {by: boss, within: 15m}, limit: {calls: 20/hour, at_once: 2, per: run}, budget: all_of_it}
      - id: nobody
        deny: "*"
        to: {roles: [guest]}
    examples:
      - as: {id: p1, roles: [reader], agent: bot, user: ann, chain: [{id: ann, roles: [reader]}], claims: {x: 1}}
        call: shop.find
        args: {state: open}
        expect: allow
        at: "2026-01-31T22:30:00Z"
        peer: 10.0.0.9
        step: 2
        related: [[ann, owner, 7]]
        reply: {status: 201, type: application/json, body: {mail: ann@x.example}}
        expect_reply: {redacted: {/mail: EMAIL_ADDRESS}}
      - {as: {}, call: shop.find, args: {state: open}, expect: allow, reply: {text: x}, expect_reply: unchanged}
"""


def test_every_key_misspelt_or_doubled_is_refused_with_its_line(tmp_path):
    (tmp_path / "source").mkdir()
    source = write(tmp_path / "source", **ALL, policy=POLICY)
    (source / "data.json").write_text('[["ann", "member", "guests"]]')
    assert check_mutations(source, tmp_path) > 120


def test_the_mutated_rules_use_every_key_that_there_is(tmp_path):
    from rules.grammar import BACKEND
    from rules.grammar import POLICY as FORM
    from rules.shape import Either, Form, Many, Table

    def keys(shape):
        if isinstance(shape, Form):
            for name, key in shape.keys.items():
                yield name
                yield from keys(key.shape)
        elif isinstance(shape, Many | Table):
            yield from keys(shape.item)
        elif isinstance(shape, Either):
            yield from keys(shape.mapping)

    source = write(tmp_path, **ALL, policy=POLICY)
    used = {one.key for one in mutations(source) if one.kind == "misspelt"}
    assert {*keys(BACKEND), *keys(FORM)} - {"waive"} <= used


def test_a_problem_names_file_line_column_path_and_what_was_meant(tmp_path):
    (found,) = problems(
        tmp_path,
        crm="""
        backend: crm
        url: https://crm.test
        tools:
          get:
            call: GET /x
            efect: read
        """,
    )
    assert str(found) == "crm.yaml:6:5: tools.get.efect: is an unknown key (did you mean effect?)"


def test_all_problems_of_all_files_are_reported_at_once(tmp_path):
    found = problems(
        tmp_path,
        crm="""
        backend: crm
        url: ftp://crm.test
        tools:
          get: {call: "GET /x/{id}"}
          put: {call: PUT /y, args: {a: {tipe: string}}, effect: write}
        """,
        policy="""
        rules:
          - {id: a, allow: crm.gett, when: args.x =}
          - {id: a b, deny: crm.get}
        """,
        other="rulez: []",
        broken="a: [1",
    )
    assert {(one.file, one.line) for one in found} == {
        ("crm.yaml", 2),
        ("crm.yaml", 4),
        ("crm.yaml", 5),
        ("policy.yaml", 2),
        ("policy.yaml", 3),
        ("other.yaml", 1),
        ("broken.yaml", 2),
    }


def test_what_is_wrong_in_one_place_hides_nothing_in_another(tmp_path):
    found = problems(
        tmp_path,
        crm="""
        backend: crm
        url: ftp://crm.test
        timeout: soon
        tools:
          a: {call: GET /a, efect: read}
          b: {call: GET /b//c}
          c: {call: GET /c, args: {x: {tipe: string}}}
        """,
        policy="""
        rules:
          - {id: a, allow: crm.a, too: x}
          - {id: b, allow: crm.b, when: args.x =}
        examples:
          - {as: {}, call: crm.a}
          - {as: {}, call: crm.z, expect: allow}
        """,
    )
    assert [(one.file, one.line) for one in found] == [
        *[("crm.yaml", line) for line in (2, 3, 5, 6, 7)],
        *[("policy.yaml", line) for line in (2, 3, 5, 6)],
    ]


def test_a_rule_about_no_tool_is_an_error_with_a_suggestion(tmp_path):
    (found,) = problems(tmp_path, crm=CRM, policy="rules: [{id: a, deny: [crm.get_custommer]}]")
    assert found.message == "crm.get_custommer matches no tool"
    assert found.hint == "did you mean crm.get_customer?"
    (found,) = problems(tmp_path, crm=CRM, policy='rules: [{id: a, deny: "erp.*"}]')
    assert found.message == "erp.* matches no tool"


def test_a_rule_about_a_tool_with_a_mistake_is_no_second_mistake(tmp_path):
    (found,) = problems(
        tmp_path,
        crm="{backend: crm, url: https://c.test, tools: {get: {call: GET /x, timeout: soon}}}",
        policy="rules: [{id: a, allow: crm.get}]",
    )
    assert found.path == "tools.get.timeout"


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("credential: {vault: x}", "tool"),
        ("mode: shadow", "rule"),
    ],
)
def test_a_key_of_a_later_version_says_that_nothing_guards_it(tmp_path, key, where):
    backend = key if where == "backend" else "says: x"
    tool = key if where == "tool" else "says: x"
    rule = key if where == "rule" else "says: x"
    (found,) = problems(
        tmp_path,
        crm=f"{{backend: crm, url: https://c.test, {backend}, tools: {{get: {{call: GET /x, {tool}}}}}}}",
        policy=f"rules: [{{id: a, allow: crm.get, {rule}}}]",
    )
    assert found.message == "this version has no guard for it"


@pytest.mark.parametrize(
    "text", ["rules: []", "rules: [{id: a, allow: []}]", "rules: [{id: a, allow: crm.search, to: {}}]"]
)
def test_an_empty_list_where_one_is_needed_is_an_error(tmp_path, text):
    found = problems(tmp_path, crm=CRM, policy=text)
    assert found
    assert all(one.file == "policy.yaml" and one.line == 1 for one in found)


def test_two_tools_with_one_call_are_ambiguous(tmp_path):
    (found,) = problems(
        tmp_path,
        crm="""
        backend: crm
        url: https://crm.test
        tools:
          a: {call: "GET /x/{id}", args: {id: {type: string}}}
          b: {call: "GET /x/{name}", args: {name: {type: string}}}
        """,
    )
    assert (found.line, found.message) == (5, "crm.b and crm.a have the same call")


def test_names_that_stand_twice_are_errors(tmp_path):
    found = problems(
        tmp_path,
        a="{backend: crm, url: https://c.test, tools: {x: {call: GET /x}}}",
        b="{backend: crm, url: https://d.test, tools: {y: {call: GET /y}}}",
        policy="rules: [{id: a, allow: crm.x}, {id: a, deny: crm.y}]",
    )
    assert [one.message for one in found] == ["crm is declared twice", "the rule a stands twice"]


def test_a_missing_folder_is_an_error_and_an_empty_one_denies_everything(tmp_path):
    with pytest.raises(RulesError, match="is not a folder"):
        load(tmp_path / "nowhere")
    empty = load(tmp_path)
    assert empty.rules == ()
    assert not empty.catalog.tools


def test_tools_without_rules_are_unknown_to_everybody(tmp_path):
    rules = load(write(tmp_path, crm=CRM))
    decision = rules.decide(facts(rules, "crm.search", {"q": "x"}, "admin"))
    assert (decision.denied, decision.code) == (True, "unknown_tool")


def test_folders_are_read_to_the_bottom_and_a_config_map_is_read_once(tmp_path):
    data = tmp_path / "..2026_01"
    (data / "deep").mkdir(parents=True)
    write(data, crm=CRM)
    write(data / "deep", policy="rules: [{id: a, allow: crm.search}]")
    (tmp_path / "..data").symlink_to(data)
    (tmp_path / "crm.yaml").symlink_to("..data/crm.yaml")
    (tmp_path / "deep").symlink_to("..data/deep")
    (tmp_path / ".git").mkdir()
    write(tmp_path / ".git", junk="nonsense: 1")
    loaded = load(tmp_path)
    assert [rule.file for rule in loaded.rules] == ["deep/policy.yaml"]


def test_a_folder_that_contains_itself_ends(tmp_path):
    write(tmp_path, crm=CRM)
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(load(tmp_path).catalog.tools) == 5


def test_the_revision_names_the_content_and_not_the_place(tmp_path):
    revisions = []
    for place, policy in (("a", "rules: [{id: a, allow: crm.search}]"), ("b", "rules: [{id: a, allow: crm.search}]")):
        (tmp_path / place).mkdir()
        revisions.append(ruleset(tmp_path / place, policy).revision)
    revisions.append(ruleset(tmp_path / "b", "rules: [{id: b, allow: crm.search}]").revision)
    assert revisions[0] == revisions[1] != revisions[2]


def test_the_revision_covers_schema_files(tmp_path):
    crm = "{backend: crm, url: https://c.test, tools: {x: {call: POST /x, input: {$ref: x.json}, effect: write}}}"
    (tmp_path / "x.json").write_text('{"properties": {"a": {"type": "string"}}}')
    first = load(write(tmp_path, crm=crm))
    (tmp_path / "x.json").write_text('{"properties": {"a": {"type": "integer"}}}')
    second = load(tmp_path)
    assert first.revision != second.revision
    assert first.catalog.tools["crm.x"].hash != second.catalog.tools["crm.x"].hash


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "big.yaml").write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(RulesError, match=r"big.yaml:1:1: cannot be read: it is larger than"):
        load(tmp_path)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RulesError) as caught:
        load(tmp_path)
    assert [(one.file, one.message) for one in caught.value.problems] == [
        ("gone.yaml", "cannot be read: it is no file"),
        ("pipe.yaml", "cannot be read: it is no file"),
    ]


def test_a_folder_with_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("rules.load.MOST_FILES", 3)
    for index in range(4):
        (tmp_path / f"{index}.yaml").write_text("")
    with pytest.raises(RulesError, match="holds more than 3 files"):
        load(tmp_path)


def test_many_problems_are_cut_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("rules.load.MOST_PROBLEMS", 2)
    write(tmp_path, a="{k1: 1, k2: 2, k3: 3, k4: 4}")
    with pytest.raises(RulesError) as caught:
        load(tmp_path)
    assert len(caught.value.problems) == 2
    assert str(caught.value).endswith("... and 2 more")


JUNK = ["null", "[]", "{}", "5", "true", "''", "[1]", "*a", "\t", "\x00", "é: {"]


@given(st.integers(0, 10_000), st.sampled_from(JUNK))
@settings(max_examples=examples(150), deadline=None, database=None)
def test_damaged_files_load_or_are_refused_with_reasons(at, junk):
    text = dedent(FULL).lstrip()
    at %= len(text)
    end = text.find("\n", at)
    with TemporaryDirectory() as name:
        write(Path(name), policy=POLICY)
        (Path(name) / "shop.yaml").write_text(text[:at] + junk + text[end:])
        with suppress(RulesError):
            load(Path(name))


def test_examples_in_a_file_where_they_do_not_belong_are_a_problem_whatever_they_hold(tmp_path):
    crm = "backend: crm\nurl: https://crm.test\ntools:\n  get: {call: GET /a}\nexamples: [{call: crm.get}]\n"
    (tmp_path / "crm.yaml").write_text(crm)
    with pytest.raises(RulesError, match=r"crm\.yaml:5:1: examples: is an unknown key"):
        load(tmp_path)
