"""Words by chance are told from names, hashes and pictures well enough for a warning, wherever the text is cut."""

from __future__ import annotations

import base64
import hashlib
import random
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.randomness import LONGEST, Watch, random_words
from tests.corpora.shared import corpus

SIGNS = string.ascii_letters + string.digits


def word(size: int, seed: int, signs: str = SIGNS) -> str:
    chance = random.Random(seed)
    return "".join(chance.choice(signs) for _ in range(size))


def count(text: str) -> int:
    return len(list(random_words(text.encode())))


@pytest.mark.parametrize(("size", "least"), [(20, 0.85), (24, 0.9), (32, 0.9), (40, 0.88), (64, 0.95), (128, 0.95)])
def test_most_tokens_are_seen(size: int, least: float) -> None:
    seen = sum(count(f'{{"a": "{word(size, seed)}"}}') for seed in range(400))
    assert seen >= least * 400


@pytest.mark.parametrize(
    "text",
    [
        hashlib.sha256(b"a").hexdigest(),
        hashlib.sha256(b"a").hexdigest().upper(),
        str(uuid.UUID(int=2**100 + 7)),
        "sha512-" + base64.b64encode(hashlib.sha512(b"a").digest()).decode(),
        base64.b64encode(random.Random(1).randbytes(600)).decode(),
        "AWSServiceRoleForElasticLoadBalancing2023",
        "getCustomerByIdV2ResponseEntityFactory",
        "kubernetes-deployment-6d4b75cb6d-hwpqx",
        "s3/us-east-1/2024/01/31/LogFile12345678",
        "/usr/lib/python3.11/site-packages/presidio",
        "12345678901234567890",
        "the quick brown fox jumps over the lazy dog",
        "2024-01-31T22:30:00Z",
        "<EMAIL_ADDRESS>, <CREDIT_CARD_7e7fc7a877af544e>",
        "-" * 60,
        "A1b2" * 9,
    ],
)
def test_what_has_a_reason_is_left(text: str) -> None:
    assert count(f"it is {text}.") == 0


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(0, 5))
def test_where_the_text_is_cut_does_not_matter(cuts: list[int], seed: int) -> None:
    text = (
        f"a {word(24, seed)} b {word(LONGEST + 90, seed)} {word(32, seed + 1)},{word(LONGEST, seed)} {word(40, seed)}"
    )
    watch, rest = Watch(), text.encode()
    for cut in cuts:
        watch.feed(rest[:cut])
        rest = rest[cut:]
    watch.feed(rest)
    assert watch.close() == count(text)


def test_a_word_without_end_is_held_only_in_part() -> None:
    watch = Watch()
    for _ in range(100):
        watch.feed(word(5_000, 1).encode())
    assert len(watch._rest) <= LONGEST + 1
    assert watch.close() == 0


def test_few_real_replies_of_tools_are_warned_of() -> None:
    replies = [record["text"] for record in corpus("benign/tool_results/tool_results")]
    warned = sum(bool(count(text)) for text in replies)
    print(f"{warned} of {len(replies)} replies")
    assert warned <= 0.01 * len(replies)
