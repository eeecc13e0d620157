import contextlib

import pytest

from rules.expressions import Expr, parse
from rules.when import When


def tree(text):
    return parse(When(text).serialized())


ARGS = Expr("ident", "args")
N = Expr("select", "n", parts=(ARGS,))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("args.n", Expr("select", "n", parts=(ARGS,))),
        ("has(args.n)", Expr("has", "n", parts=(ARGS,))),
        ("args['n']", Expr("call", "_[_]", parts=(ARGS, Expr("const", value="n")))),
        ("args.n == null", Expr("call", "_==_", parts=(N, Expr("const", value=None)))),
        ("args.n == false", Expr("call", "_==_", parts=(N, Expr("const", value=False)))),
        ("args.n == 0", Expr("call", "_==_", parts=(N, Expr("const", value=0)))),
        ("args.n == -9223372036854775808", Expr("call", "_==_", parts=(N, Expr("const", value=-(2**63))))),
        ("args.n == 3u", Expr("call", "_==_", parts=(N, Expr("const", "uint", 3)))),
        ("args.n == 2.5", Expr("call", "_==_", parts=(N, Expr("const", value=2.5)))),
        ("args.n == ''", Expr("call", "_==_", parts=(N, Expr("const", value="")))),
        ("args.n == 'é'", Expr("call", "_==_", parts=(N, Expr("const", value="é")))),
        ("args.n == []", Expr("call", "_==_", parts=(N, Expr("list")))),
        (
            "args.n == {'a': 1}",
            Expr("call", "_==_", parts=(N, Expr("map", parts=(Expr("const", value="a"), Expr("const", value=1))))),
        ),
    ],
)
def test_what_the_compiler_made_of_a_text(text, what):
    assert tree(text) == what


def test_a_macro_is_a_loop():
    loop = tree("args.l.all(r, r == 1)")
    assert (loop.what, loop.name, len(loop.parts)) == ("loop", "r", 4)
    assert loop.parts[0] == Expr("select", "l", parts=(ARGS,))
    assert loop.parts[1] == Expr("const", value=True)


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x0a", b"\x0a\x05abc", b"\xff" * 12, b"\x12\x02\x0b\x00", b"\x10\x01\x20\x05"]
)
def test_bytes_that_are_no_expression_are_a_value_error(data):
    with pytest.raises(ValueError, match=r"field|message"):
        parse(data)


def test_every_cut_of_an_expression_is_a_value_error_or_an_expression():
    whole = When("args.l.all(r, r == 'x') && args.n > 5").serialized()
    for end in range(len(whole)):
        with contextlib.suppress(ValueError):
            assert isinstance(parse(whole[:end]), Expr)
