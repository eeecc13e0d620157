import pytest

from rules.spoken import spoken
from rules.when import When


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("args.amount <= 500", "amount is at most 500"),
        ("args.amount < 1.5", "amount is below 1.5"),
        ("args.amount > -5", "amount is above -5"),
        ("args.amount >= 5 ", "amount is at least 5"),
        ("args.a == args.b", "a is b"),
        ("args.a.b['c-d'] != \"x\\ty\"", 'a.b.c-d is not "x\\ty"'),
        ("args.on == true", "on is true"),
        ('args.text.contains("://")', 'text contains "://"'),
        ("args.text.startsWith('é')", 'text begins with "é"'),
        ("args.text.endsWith('x')", 'text ends with "x"'),
        ("args.text.matches('^a+$')", 'text matches "^a+$"'),
        ("args.size in [1, 'two', 3]", 'size is one of 1, "two" or 3'),
        ("args.size in ['two']", 'size is one of "two"'),
        ("'admin' in principal.roles", 'the caller\'s roles hold "admin"'),
        ("has(args.note)", "note is given"),
        ("size(args.list) < 5 && args.text.size() > 1", "the size of list is below 5 and the size of text is above 1"),
        ("principal.agent == 'bot'", 'the agent is "bot"'),
        ("run.step < 3", "the step of the run is below 3"),
        ("network.peer.startsWith('10.')", 'the caller\'s address begins with "10."'),
        ("time.getHours() >= 8", "the hour in UTC is at least 8"),
        ("time.getDayOfWeek('Europe/Berlin') == 0", "the weekday (Sunday is 0) in Europe/Berlin is 0"),
    ],
)
def test_conditions_that_have_plain_words(condition, words):
    assert spoken(When(condition)) == words


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("!(args.a < 1)", "a is at least 1"),
        ("!(args.a <= 1)", "a is above 1"),
        ("!(args.a > 1)", "a is at most 1"),
        ("!(args.a >= 1)", "a is below 1"),
        ("!(args.a == 1)", "a is not 1"),
        ("!(args.a != 1)", "a is 1"),
        ("!!(args.a != 1)", "a is not 1"),
        ("!has(args.a)", "a is not given"),
        ("!args.a.contains('x')", 'a does not contain "x"'),
        ("!args.a.matches('x')", 'a does not match "x"'),
        ("!(args.a in [1, 2])", "a is not one of 1 or 2"),
        ("!('x' in principal.roles)", 'the caller\'s roles do not hold "x"'),
        ("!(args.a > 1 && args.b > 1)", "a is at most 1 or b is at most 1"),
        ("!(args.a > 1 || args.b > 1)", "a is at most 1 and b is at most 1"),
    ],
)
def test_the_contrary_is_said_without_not(condition, words):
    assert spoken(When(condition)) == words


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("args.a > 1 && args.b > 1 && args.c > 1", "a is above 1 and b is above 1 and c is above 1"),
        ("args.a > 1 || args.b > 1 && args.c > 1", "a is above 1 or (b is above 1 and c is above 1)"),
        ("(args.a > 1 || args.b > 1) && args.c > 1", "(a is above 1 or b is above 1) and c is above 1"),
        ("args.a > 1 && !(args.b > 1 && args.c > 1)", "a is above 1 and (b is at most 1 or c is at most 1)"),
    ],
)
def test_brackets_keep_and_and_or_apart(condition, words):
    assert spoken(When(condition)) == words


@pytest.mark.parametrize(
    "condition",
    [
        "args.recipients.all(r, r.endsWith('@x.test'))",
        "args.a + 1 < 2",
        "args.a == null",
        "args.a == b'x'",
        "args.a ? true : false",
        "args.a in []",
        "args.a",
        "true",
        "timestamp(args.t) > time",
        "args.a > 1 && args.b + 1 > 2",
        "args[args.b] == 1",
        "args.list[0] == 1",
        "type(args.a) == int",
        "args.a.lowerAscii() == 'x'",
    ],
)
def test_what_has_no_plain_words_stays_as_it_is(condition):
    assert spoken(When(condition)) == ""


def test_a_deep_condition_is_not_read_aloud():
    assert spoken(When("!" * 150 + "has(args.a)")) in ("", "a is given")
