"""What goes over the wire to Vault, and what may come back."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from proxy.vault.fault import Fault
from proxy.vault.wire import MOST_REPLY, Mount, Wire
from proxy.vault_settings import AuthSettings, VaultSettings
from tests.vault.certificates import Authority
from tests.vault.standin import ROOT_TOKEN, Answer, Standin, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def settings(url: str, **more: object) -> VaultSettings:
    return VaultSettings(url, AuthSettings("token", "env:NONE"), **more)  # type: ignore[arg-type]


@contextmanager
def wire(url: str, **more: object) -> Iterator[Wire]:
    one = Wire(settings(url, **more))
    yield one
    one.close()


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something that answers one request as it likes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            there, _ = server.accept()
            with there:
                there.recv(65536)
                with suppress(OSError):
                    answer(there)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_engines_are_told_apart() -> None:
    with serving(Standin()) as there, wire(there.url) as one:
        there.mounts["old"] = {"type": "kv", "options": None}
        there.mounts["db/main"] = {"type": "database"}
        assert one.mount(ROOT_TOKEN, "secret/team/crm") == Mount("secret", "kv", 2)
        assert one.mount(ROOT_TOKEN, "old/crm") == Mount("old", "kv", 1)
        assert one.mount(ROOT_TOKEN, "db/main/creds/x") == Mount("db/main", "database", 0)
        assert not one.mount(ROOT_TOKEN, "db/main/creds/x").static


def test_a_namespace_goes_with_each_request_and_no_cookie_does() -> None:
    with serving(Standin(namespace="team/a")) as there, wire(there.url, namespace="team/a") as one:
        one.look(ROOT_TOKEN)
        assert there.seen[-1].namespace == "team/a"
    with serving(Standin(namespace="team/a")) as there, wire(there.url) as one, pytest.raises(Fault, match="404"):
        one.mount(ROOT_TOKEN, "secret/crm")


def test_no_redirect_is_followed_and_the_token_goes_nowhere() -> None:
    with serving(Standin()) as other, serving(Standin()) as there, wire(there.url) as one:
        there.upset = lambda method, path: Answer(307, after=f"{other.url}/v1/auth/token/lookup-self")
        with pytest.raises(Fault, match="active node"):
            one.look(ROOT_TOKEN)
        assert other.seen == []


def test_a_certificate_has_to_be_trusted(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    with serving(Standin(), ours.server("localhost")) as there:
        with wire(there.url, ca=str(ours.file)) as one:
            assert one.look(ROOT_TOKEN)["id"] == ROOT_TOKEN
        for ca in (str(others.file), ""):
            with wire(there.url, ca=ca) as one, pytest.raises(Fault, match="its certificate is not trusted"):
                one.look(ROOT_TOKEN)
    with serving(Standin(), ours.server("other.example")) as there:
        with wire(there.url, ca=str(ours.file)) as one, pytest.raises(Fault, match="not trusted"):
            one.look(ROOT_TOKEN)
        assert there.seen == []
    assert isinstance(ours.server("localhost"), ssl.SSLContext)


def drip(there: socket.socket) -> None:
    there.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(100):
        threading.Event().wait(0.05)
        there.sendall(b" ")


def flood(there: socket.socket) -> None:
    there.sendall(HEAD + b"\r\n")
    for _ in range(MOST_REPLY // 65536 + 20):
        there.sendall(b" " * 65536)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (drip, "did not answer in time"),
        (flood, "cannot be reached"),
        (lambda there: there.sendall(HEAD + b"Content-Length: 2\r\n\r\n{]"), "cannot be read"),
        (lambda there: there.sendall(HEAD + b"Content-Length: 2\r\n\r\n[]"), "cannot be read"),
        (lambda there: there.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}"), "cannot be read"),
        (lambda there: there.sendall(HEAD + b"Content-Length: 20\r\n\r\n{}"), "cannot be reached"),
        (lambda there: there.sendall(b"220 mail\r\n\r\n"), "cannot be reached"),
        (lambda there: None, "cannot be reached"),
        (lambda there: threading.Event().wait(1.5), "did not answer in time"),
    ],
)
def test_no_answer_holds_a_thread_for_long_or_is_taken_for_another(
    answer: Callable[[socket.socket], None], says: str
) -> None:
    with raw(answer) as url, wire(url, timeout_s=0.3) as one:
        began = monotonic()
        with pytest.raises(Fault, match=says) as caught:
            one.look("a-token")
        assert monotonic() - began < 1.4
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("status", [400, 403, 404, 503])
def test_what_a_proxy_says_is_not_taken_for_vaults_word(status: int) -> None:
    page = b"<h1>Not here</h1>"
    answer = b"HTTP/1.1 %d No\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % (status, len(page)) + page
    with raw(lambda there: there.sendall(answer)) as url, wire(url) as one:
        with pytest.raises(Fault, match=f"something that is not Vault answered .{status}.") as caught:
            one.look("a-token")
        assert not caught.value.meant


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with wire(url) as one, pytest.raises(Fault, match="auth/token/lookup-self: it cannot be reached"):
        one.look("a-token")
