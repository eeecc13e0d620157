from ipaddress import ip_network

import pytest

from redaction.operators import Way
from rules.backends import digest
from rules.load import load
from rules.tools import DEFAULT_REPLY_BYTES
from tests.rules.helpers import problems, write


def load_crm(folder, text):
    return load(write(folder, crm=text)).catalog


def test_what_is_not_said_has_a_safe_default(tmp_path):
    catalog = load_crm(tmp_path, "{backend: crm, url: https://c.test, tools: {t: {call: GET /x}}}")
    one = catalog.tools["crm.t"]
    assert (one.effect, one.timeout_s, one.method, one.path) == ("read", 30.0, "GET", "/x")
    assert (one.reply.on_error, one.reply.most_bytes) == ("refuse", DEFAULT_REPLY_BYTES)
    assert {"EMAIL_ADDRESS", "CREDIT_CARD", "PRIVATE_KEY"} <= one.reply.redact
    assert one.contract.check({}) == ()
    assert one.contract.check({"x": 1})
    assert (catalog.backends["crm"].addresses, catalog.backends["crm"].tools) == ((), ("crm.t",))


def test_a_tool_says_it_better_than_its_backend_key_by_key(tmp_path):
    catalog = load_crm(
        tmp_path,
        """
        backend: crm
        url: https://c.test
        says: The CRM.
        timeout: 10s
        reply: {redact: off, on_error: pass, most_bytes: 1KiB}
        tools:
          a: {call: GET /a}
          b: {call: GET /b, timeout: 500ms, reply: {redact: [EMAIL_ADDRESS], most_bytes: 7}}
        """,
    )
    first, second = catalog.tools["crm.a"], catalog.tools["crm.b"]
    assert (first.timeout_s, first.reply.redact, first.reply.on_error, first.reply.most_bytes) == (
        10,
        frozenset(),
        "pass",
        1024,
    )
    assert (second.timeout_s, second.reply.redact, second.reply.on_error) == (0.5, frozenset({"EMAIL_ADDRESS"}), "pass")
    assert second.reply.most_bytes == 7
    assert (first.file, first.line, second.line) == ("crm.yaml", 7, 8)


def test_operators_say_how_findings_are_rewritten_and_a_tool_says_it_better(tmp_path):
    text = """
        backend: c
        url: https://c.test
        reply: {operators: {CREDIT_CARD: keep_last_4, US_SSN: {mask: "#"}, IBAN_CODE: {replace: an account}}}
        tools:
          a: {call: GET /a}
          b: {call: GET /b, reply: {operators: {EMAIL_ADDRESS: hash}}}
          c: {call: GET /c, reply: {redact: off}}
    """
    tools = load_crm(tmp_path, text).tools
    assert dict(tools["c.a"].reply.ways) == {
        "CREDIT_CARD": Way("keep_last_4"),
        "US_SSN": Way("mask", "#"),
        "IBAN_CODE": Way("replace", "an account"),
    }
    assert dict(tools["c.b"].reply.ways) == {"EMAIL_ADDRESS": Way("hash")}
    assert not tools["c.c"].reply.redact


def test_a_tool_promises_no_way_to_rewrite_what_it_does_not_take_out(tmp_path):
    tool = "{call: GET /, reply: {redact: [US_SSN], operators: {EMAIL_ADDRESS: hash}}}"
    (found,) = problems(tmp_path, c=f"{{backend: c, url: https://c.test, tools: {{t: {tool}}}}}")
    assert (found.path, found.message) == ("tools.t.reply.operators.EMAIL_ADDRESS", "is not taken out here")


def test_pseudonyms_may_be_realistic_where_there_is_a_form_for_it(tmp_path):
    text = """
        backend: c
        url: https://c.test
        reply: {operators: {EMAIL_ADDRESS: pseudonym, PERSON: {pseudonym: realistic}}}
        tools: {a: {call: GET /a}}
    """
    ways = dict(load_crm(tmp_path, text).tools["c.a"].reply.ways)
    assert ways == {"EMAIL_ADDRESS": Way("pseudonym"), "PERSON": Way("pseudonym", "realistic")}


def test_pseudonyms_are_not_realistic_where_there_is_no_form(tmp_path):
    operators = "reply: {operators: {US_SSN: {pseudonym: realistic}}}"
    (found,) = problems(tmp_path, c=f"{{backend: c, url: https://c.test, {operators}, tools: {{t: {{call: GET /t}}}}}}")
    assert (found.path, found.message) == ("reply.operators.US_SSN", "has no realistic pseudonyms")


@pytest.mark.parametrize(
    ("said", "meant"),
    [("true", {"*"}), ("false", set()), ("[PERSON, EMAIL_ADDRESS]", {"PERSON", "EMAIL_ADDRESS"})],
)
def test_values_are_put_back_where_a_backend_says_so(tmp_path, said, meant):
    text = f"{{backend: c, url: https://c.test, restore: {said}, tools: {{a: {{call: GET /a}}}}}}"
    assert load_crm(tmp_path, text).tools["c.a"].restore == meant


@pytest.mark.parametrize(
    ("said", "path", "says"),
    [
        ("restore: all", "restore", "must be true or false"),
        ("restore: []", "restore", "empty list"),
        ("restore: [EMAIL_ADRESS]", "restore", "did you mean 'EMAIL_ADDRESS'?"),
        ('restore: true\nreply: {redact: "off"}', "tools.a.call", "replies that nobody looks at"),
    ],
)
def test_what_is_wrong_with_putting_back(tmp_path, said, path, says):
    tools = "tools: {a: {call: GET /a}, b: {call: GET /b, reply: {redact: standard}}}"
    (found,) = problems(tmp_path, c=f"backend: c\nurl: https://c.test\n{said}\n{tools}")
    assert found.path == path
    assert says in str(found)


@pytest.mark.parametrize(("said", "told"), [("", True), ("trace: true, ", True), ("trace: false, ", False)])
def test_a_backend_is_told_of_traces_unless_its_file_says_no(tmp_path, said, told):
    text = f"{{backend: c, url: https://c.test, {said}tools: {{a: {{call: GET /a}}}}}}"
    assert load_crm(tmp_path, text).backends["c"].trace is told


def test_addresses_are_networks(tmp_path):
    text = "{backend: c, url: https://c.test, addresses: [10.0.0.0/8, 127.0.0.1, '::1'], tools: {t: {call: GET /}}}"
    networks = load_crm(tmp_path, text).backends["c"].addresses
    assert networks == (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"), ip_network("::1/128"))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_whoever_may_change_something_says_what(tmp_path, method):
    (found,) = problems(tmp_path, c=f"{{backend: c, url: https://c.test, tools: {{t: {{call: {method} /}}}}}}")
    assert found.message == f"a {method} needs the key effect beside it"


def test_optional_arguments_are_said_to_be(tmp_path):
    text = (
        "{backend: c, url: https://c.test, tools: {t: {call: GET /, args: {a: {type: string}, b: {optional: true}}}}}"
    )
    contract = load_crm(tmp_path, text).tools["c.t"].contract
    assert contract.check({"a": "x"}) == ()
    assert [one.path for one in contract.check({"b": "x"})] == ["/a"]


@pytest.mark.parametrize(
    ("text", "line", "path", "says"),
    [
        ("url: ftp://c.test", 2, "url", "must begin with http"),
        ("url: https://c.test\naddresses: [10.0.0.1/8]", 3, "addresses[0]", "write 10.0.0.0/8 or 10.0.0.1"),
        ("url: https://c.test\naddresses: [intranet]", 3, "addresses[0]", "is not a network"),
        ("url: https://c.test\nreply: {redact: standart}", 3, "reply.redact", "standart"),
        ("url: https://c.test\nreply: {redact: [EMAIL_ADRESS]}", 3, "reply.redact", "EMAIL_ADRESS"),
        ("url: https://c.test\nreply: {operators: {US_SSM: hash}}", 3, "reply.operators.US_SSM", "US_SSN"),
        ("url: https://c.test\nreply: {operators: {US_SSN: hush}}", 3, "reply.operators.US_SSN", "did you mean hash?"),
        ("url: https://c.test\nreply: {operators: {US_SSN: {mask: '<'}}}", 3, "reply.operators.US_SSN.mask", "* #"),
        (
            "url: https://c.test\nreply: {operators: {US_SSN: {replace: 'a\"b'}}}",
            3,
            "reply.operators.US_SSN.replace",
            "64",
        ),
        (
            "url: https://c.test\nreply: {operators: {US_SSN: {mask: '#', replace: a}}}",
            3,
            "reply.operators.US_SSN",
            "one",
        ),
        ("url: https://c.test\nreply: {operators: {US_SSN: {mask: '**'}}}", 3, "reply.operators.US_SSN.mask", "* #"),
    ],
)
def test_problems_of_a_backend_have_their_place(tmp_path, text, line, path, says):
    (found,) = problems(tmp_path, c=f"backend: c\n{text}\ntools: {{t: {{call: GET /}}}}")
    assert (found.line, found.path) == (line, path)
    assert says in str(found)


@pytest.mark.parametrize(
    ("rest", "path", "says"),
    [
        ("args: {a: {tipe: string}}", "tools.t.args.a.tipe", "did you mean type?"),
        ("args: {a: {optionel: true}}", "tools.t.args.a.optionel", "did you mean optional?"),
        ("args: {a: {type: strng}}", "tools.t.args.a.type", "did you mean string?"),
        ("args: {a: {pattern: '(?=x)'}}", "tools.t.args.a.pattern", "linear time"),
        ("args: {a: {items: {format: emial}}}", "tools.t.args.a.items.format", "did you mean email?"),
        ("args: {a: {$ref: nowhere.json}}", "tools.t.args.a.$ref", "there is no file nowhere.json"),
        ("input: {properties: {a: {tipe: x}}}", "tools.t.input.properties.a.tipe", "did you mean type?"),
        ("input: true", "tools.t.input", "must be a mapping"),
        ("input: {$ref: broken.json}", "minimun", "is not a keyword"),
        ("call: GET /x//y", "tools.t.call", "empty segment"),
    ],
)
def test_problems_of_a_contract_have_their_place(tmp_path, rest, path, says):
    (tmp_path / "broken.json").write_text('{"minimun": 1}')
    call = "" if rest.startswith("call") else "call: POST /x, effect: write, "
    (found,) = problems(tmp_path, c=f"{{backend: c, url: https://c.test, tools: {{t: {{{call}{rest}}}}}}}")
    assert found.path == path
    assert says in str(found)
    assert found.file == ("broken.json" if "broken" in rest else "c.yaml")


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})


@pytest.mark.parametrize(
    ("picked_by", "path", "says"),
    [
        ("{header: {X-T: a}}", "tools.one.picked_by.header.X-T", "is no argument in the header"),
        ("{query: {x-q: a}}", "tools.one.picked_by.query.x-q", "is no argument in the query"),
        ("{query: {Toolwall-Tool: crm.one}}", "tools.one.picked_by.query.Toolwall-Tool", "is no argument in the query"),
        ("{header: {X-Q: a, Toolwall-Tool: b}}", "tools.one.picked_by.header", "must name exactly one"),
        ("{query: {q: a}, header: {X-Q: a}}", "tools.one.picked_by", "exactly one of the keys header, query"),
        ("{cookie: {q: a}}", "tools.one.picked_by.cookie", "is an unknown key"),
    ],
)
def test_what_tells_tools_apart_has_to_reach_the_backend(tmp_path, picked_by, path, says):
    found = problems(
        tmp_path,
        crm=f"""
        backend: crm
        url: https://crm.test
        tools:
          one:
            call: GET /x
            picked_by: {picked_by}
            args: {{q: {{type: string}}, X-Q: {{type: string}}}}
            in: {{X-Q: header}}
        """,
    )
    assert any(one.path == path and says in one.message for one in found), found


def test_tools_with_one_call_need_different_values(tmp_path):
    def tool(value):
        return f"{{call: GET /x, args: {{q: {{type: string}}}}, picked_by: {{query: {{q: {value}}}}}}}"

    crm = "{{backend: crm, url: https://crm.test, tools: {{one: {}, two: {}}}}}"
    (found,) = problems(tmp_path, crm=crm.format(tool("a"), tool("a")))
    assert found.message == "crm.two and crm.one have the same call"
    write(tmp_path, crm=crm.format(tool("a"), tool("b")))
    assert {one.picked_by.value for one in load(tmp_path).catalog.tools.values()} == {"a", "b"}
