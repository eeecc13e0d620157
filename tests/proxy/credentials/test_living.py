"""Known secrets that come and go: known before they are sent, and for a while after they have ended."""

from __future__ import annotations

import asyncio
import logging
from threading import Thread
from time import monotonic

import pytest

from proxy.credentials import living
from proxy.credentials.living import Living, looked_for, warn
from proxy.credentials.secret import CredentialError, Secret
from redaction.known import Known

ONE, TWO, FIXED = "kestrel-9Xw4pQ7t", "osprey-3Vb8nK1s", "merlin-7Hd2fJ5g"


def shown(known: Known) -> list[str]:
    return [value for value in (ONE, TWO, FIXED) if known.sees(value.encode())]


def test_what_is_told_is_known_at_once_and_what_was_fixed_stays() -> None:
    known = Living(Known([FIXED]))
    assert shown(known) == [FIXED]
    known.tell(Secret.plain(ONE), True)
    known.tell(Secret({"password": TWO}), True)
    assert shown(known) == [ONE, TWO, FIXED]
    assert len(known) == 2
    assert ONE not in repr(known)


def test_what_has_ended_is_known_for_the_grace_and_not_longer() -> None:
    known, secret = Living(grace_s=0.0), Secret.plain(ONE)
    known.tell(secret, True)
    known.tend()
    assert shown(known) == [ONE]
    known.tell(secret, False)
    assert shown(known) == [ONE]
    known.tend()
    assert (shown(known), len(known), bool(known)) == ([], 0, False)
    lasting = Living(grace_s=60.0)
    lasting.tell(secret, True)
    lasting.tell(secret, False)
    lasting.tend()
    assert shown(lasting) == [ONE]


def test_a_value_of_two_secrets_is_known_until_both_have_ended() -> None:
    known, one, two = Living(grace_s=0.0), Secret.plain(ONE), Secret.plain(ONE)
    for secret in (one, two, two):  # told twice counts once
        known.tell(secret, True)
    known.tell(one, False)
    known.tend()
    assert shown(known) == [ONE]
    known.tell(two, False)
    known.tend()
    assert shown(known) == []


def test_what_is_sent_is_known_also_where_nobody_told_of_it() -> None:
    known, secret = Living(grace_s=0.05), Secret.plain(ONE)
    known.sent(secret, "crm")
    known.tend()
    assert shown(known) == [ONE]
    known.sent(secret, "crm")
    for _ in range(5):
        known.tend()
    assert shown(known) == [ONE]


def test_who_has_leaked_is_told_by_what_was_found() -> None:
    known, secret = Living(Known([FIXED])), Secret.plain(ONE)
    known.tell(secret, True)
    known.tell(Secret.plain(TWO), True)
    known.sent(secret, "crm")
    for _ in range(2):
        assert known.leaked(known.whose(f"a {ONE.encode().hex()} b {FIXED}".encode())) == [("crm", secret)]
        known.tend()
    assert known.leaked(known.whose(FIXED.encode())) == []


def test_sets_are_kept_few_while_others_come_from_threads() -> None:
    async def play() -> None:
        known = Living(grace_s=60.0)
        values = [f"value-{n:04}-Xw4p" for n in range(60)]
        task = asyncio.create_task(known.watch())
        threads = [Thread(target=lambda v=v: known.tell(Secret.plain(v), True)) for v in values]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(known.sees(value.encode()) for value in values)
        until = monotonic() + 5
        while len(known._sets) > living.MOST_PARTS and monotonic() < until:
            await asyncio.sleep(0.05)
        assert len(known._sets) <= living.MOST_PARTS
        assert all(known.sees(value.encode()) for value in values)
        task.cancel()

    asyncio.run(play())


def test_more_than_can_be_known_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "MOST", 2)
    known = Living()
    known.tell(Secret({"a": ONE, "b": TWO}), True)
    with pytest.raises(CredentialError, match="more than 2 secrets"):
        known.tell(Secret.plain(FIXED), True)
    with pytest.raises(CredentialError) as caught:
        known.sent(Secret.plain(FIXED), "crm")
    assert FIXED not in str(caught.value)
    known.tell(Secret.plain(ONE), True)  # which is known


def test_names_are_no_secrets_and_a_scheme_is_no_part_of_one() -> None:
    secret = Secret({"username": "ana-the-great", "client_id": "toolwall-7", "password": f"Bearer {ONE}"})
    assert list(looked_for(secret)) == [f"Bearer {ONE}", ONE]
    with pytest.raises(CredentialError, match="its field token is longer"):
        list(looked_for(Secret({"token": "x" * 20_000})))


def test_what_is_too_ordinary_is_told_without_being_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "toolwall"):
        warn(Secret({"username": "ana", "password": "hunter2", "token": ONE}), "env:A")
    assert caplog.messages == [
        "the secret env:A is not looked for in answers, in its field password: it has less than 8 bytes"
    ]
