import random

from redaction.detector import all_patterns
from redaction.operators import splice
from redaction.scanner import Scanner
from redaction.window import HOLD, Window
from tests.redaction.families import each_family
from tests.redaction.fill import fill

SCANNER = Scanner(frozenset(pattern.kind for pattern in all_patterns()))
STANDARD = Scanner(frozenset({"EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "PHONE_NUMBER", "PRIVATE_KEY"}))
AROUND = "and so they said that it was good "


def shown(pieces, when=("flow",), scanner=STANDARD):
    window, text, first = Window(scanner.edits), "", 0
    for piece in pieces:
        window.add(piece)
        for each in when:
            got, edits = getattr(window, each)()
            text += splice(got, ((e.start - first, e.end - first, e.new) for e in edits))
            first += len(got)
    got, edits = window.close()
    assert window.done == window.size
    return text + splice(got, ((e.start - first, e.end - first, e.new) for e in edits))


@each_family
def test_where_the_text_is_cut_does_not_matter(family):
    """Of each pattern one example, long before the end; cut near each of its characters."""
    for pattern in family:
        assert_the_same_wherever_it_is_cut(pattern)


def assert_the_same_wherever_it_is_cut(pattern):
    example = fill(pattern.yes[0])
    text = AROUND * 10 + example + " " + AROUND * 10
    whole = splice(text, ((e.start, e.end, e.new) for e in SCANNER.edits(text)))
    dice = random.Random(7)
    first = len(AROUND) * 10
    # The longest examples are keys of thousands of characters: there some places stand for all.
    places = range(first, first + len(example))
    for at in places if len(places) < 12 else sorted(dice.sample(places, 12)):
        assert shown([text[:at], text[at:]], scanner=SCANNER) == whole, (pattern.name, at)
    ends = sorted(dice.sample(range(1, len(text)), 30))
    pieces = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    assert shown(pieces, scanner=SCANNER) == whole, pattern.name


def test_every_place_and_every_pause():
    text = (
        f"{AROUND * 3}write to ana.b@mail.example.org, card 4242 4242 4242 4242, phone +44 20 7946 0958, {AROUND * 9}"
    )
    whole = splice(text, ((e.start, e.end, e.new) for e in STANDARD.edits(text)))
    assert whole.count("<") == 3
    for at in range(len(text)):
        assert shown([text[:at], text[at:]]) == whole, at
        assert shown([text[:at], text[at:]], when=("flow", "pause")) == whole, at
    assert shown(text, when=("flow", "pause")) == whole


def test_words_flow_on_and_at_most_so_many_are_held():
    window = Window(STANDARD.edits)
    for _ in range(1_000):
        window.add("word ")
        window.flow()
        assert window.size - window.done <= HOLD + 2 * len("word ")


def test_a_pause_lets_plain_words_go_and_keeps_what_may_be_a_beginning():
    for text, kept in [
        ("All is well. ", ""),
        ("All is well", "well"),
        ("Write to ana@", "ana@"),
        ("Card 4242 4242 ", "4242 4242 "),
        ("Number 078-05-1120 is my ", "078-05-1120 is my "),
        ("日本語で書く", ""),
    ]:
        window = Window(STANDARD.edits)
        window.add(text)
        window.pause()
        assert window.held == kept or (not kept and not text.isascii()), text


def test_a_key_is_waited_for_to_its_end():
    body = "\n".join("ab12" * 16 for _ in range(40))
    begin, end = (f"-----{word} RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
    text = f"{AROUND * 9}\n{begin}\n{body}\n{end}\n{AROUND * 20}"
    whole = shown([text])
    assert "ab12" not in whole
    assert "<PRIVATE_KEY>" in whole
    assert shown([text[at : at + 50] for at in range(0, len(text), 50)], when=("flow", "pause")) == whole


def test_a_long_word_costs_no_more_than_its_length():
    window = Window(STANDARD.edits)
    for _ in range(20_000):
        window.add("x" * 100)
        window.flow()
    assert window.done == 0
    window.add(" " + "and so on " * 100)
    window.flow()
    assert window.done > 2_000_000
