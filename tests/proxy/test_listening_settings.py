"""Where the sidecar may listen, and what is refused before it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config import ConfigError, Settings, load_config
from proxy.listening_settings import MOST_PATH, Place, located
from rules.source import LoadProblem

STATIC = {"static": {"id": "bot"}}
KEYS = {"api_keys": [{"id": "bot", "sha256": "0" * 64}]}
FILES = {"certificate": "own.pem", "key": "own.key"}


def load(folder: Path, listener: dict[str, Any], admin: dict[str, Any] | None = None) -> Settings:
    said: dict[str, Any] = {"listeners": [{"bind": "127.0.0.1:0", "identity": STATIC} | listener]}
    (folder / "toolwall.yaml").write_text(yaml.safe_dump(said | ({"admin": admin} if admin else {})))
    return load_config(folder / "toolwall.yaml")


def problem(folder: Path, listener: dict[str, Any], admin: dict[str, Any] | None = None) -> LoadProblem:
    with pytest.raises(ConfigError) as caught:
        load(folder, listener, admin)
    (only,) = caught.value.problems
    return only


@pytest.mark.parametrize("bind", ["unix:s", "unix:/run/s", "unix:a:8080", "unix:8080"])
def test_a_unix_socket_is_local(bind: str, tmp_path: Path) -> None:
    (listener,) = load(tmp_path, {"bind": bind}).listeners
    assert listener.place == Place(path=str(tmp_path / bind[5:]), mode=0o600)
    assert listener.place.is_local
    assert listener.place.name == f"unix:{tmp_path / bind[5:]}"
    assert listener.names == {"localhost"}


@pytest.mark.parametrize("bind", ["unix:", "unix:/", "unix:/run/", "unix:a\0b", "unix"])
def test_what_is_no_path_of_a_socket(bind: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, {"bind": bind})


def test_a_path_is_as_long_as_the_kernel_takes_it() -> None:
    folder = Path("/" + "d" * 50)
    path = folder / ("s" * (MOST_PATH - len(str(folder)) - 1))
    assert len(str(path)) == MOST_PATH == 107


def test_a_path_that_is_too_long_is_found_at_load(tmp_path: Path) -> None:
    fits = "/" + "s" * (MOST_PATH - 1)
    assert load(tmp_path, {"bind": f"unix:{fits}"}).listeners[0].place.path == fits
    assert "107 bytes" in problem(tmp_path, {"bind": f"unix:{fits}s"}).message
    assert "107 bytes" in problem(tmp_path, {"bind": "unix:/" + "ä" * 53 + "s"}).message


def test_two_listeners_do_not_share_a_socket(tmp_path: Path) -> None:
    assert problem(tmp_path, {"bind": "unix:s"}, {"bind": "unix:s"}).path == "admin.bind"
    load(tmp_path, {"bind": "unix:s"}, {"bind": "unix:t"})


def test_a_mode_is_for_unix_sockets_and_in_quotes(tmp_path: Path) -> None:
    assert load(tmp_path, {"bind": "unix:s", "mode": "0660"}).listeners[0].place.mode == 0o660
    assert problem(tmp_path, {"mode": "0660"}).path == "listeners[0].mode"
    for wrong in ("0777", "660", 660, "0622"):
        assert problem(tmp_path, {"bind": "unix:s", "mode": wrong}).path == "listeners[0].mode"


def test_who_is_let_in_by_a_socket_that_all_may_open_has_to_say_who_it_is(tmp_path: Path) -> None:
    assert "let anybody in" in problem(tmp_path, {"bind": "unix:s", "mode": "0666"}).message
    load(tmp_path, {"bind": "unix:s", "mode": "0666", "identity": KEYS})


@pytest.mark.parametrize("bind", ["0.0.0.0:9464", "[::]:9464", "10.0.0.7:9464", "toolwall.internal:9464"])
def test_an_admin_listener_that_others_reach_asks_who_they_are(bind: str, tmp_path: Path) -> None:
    found = problem(tmp_path, {}, {"bind": bind})
    assert (found.path, "anybody could read metrics" in found.message) == ("admin.bind", True)
    assert problem(tmp_path, {}, {"bind": bind, "tls": FILES}).path == "admin.bind"  # that says who the sidecar is
    assert load(tmp_path, {}, {"bind": bind, "token": "env:T"}).admin.token == "env:T"
    load(tmp_path, {}, {"bind": bind, "tls": FILES | {"client_ca": "ca.pem"}})


def test_a_certificate_that_nobody_looks_at_is_no_protection(tmp_path: Path) -> None:
    tls = FILES | {"client_ca": "ca.pem", "client": "optional"}
    assert problem(tmp_path, {}, {"bind": "0.0.0.0:1", "token": "env:T", "tls": tls}).path == "admin.tls"
    load(tmp_path, {"tls": tls})  # there identity looks at it


def test_files_of_tls_are_beside_the_configuration(tmp_path: Path) -> None:
    found = load(tmp_path, {"tls": FILES | {"client_ca": "/etc/ca.pem"}}).listeners[0].tls
    assert found is not None
    assert (found.certificate, found.key, found.client_ca, found.client) == (
        tmp_path / "own.pem",
        tmp_path / "own.key",
        Path("/etc/ca.pem"),
        "required",
    )


@pytest.mark.parametrize(
    "tls", [{}, {"certificate": "a"}, {"key": "a"}, FILES | {"client": "sometimes", "client_ca": "a"}]
)
def test_half_of_tls_is_refused(tls: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, {"tls": tls})


def test_client_certificates_need_an_authority(tmp_path: Path) -> None:
    assert problem(tmp_path, {"tls": FILES | {"client": "required"}}).path == "listeners[0].tls.client"


@pytest.mark.parametrize("token", ["abc", "vault:secret/x#y", "env:", "file:", ""])
def test_a_token_stands_elsewhere(token: str, tmp_path: Path) -> None:
    assert problem(tmp_path, {}, {"bind": "127.0.0.1:0", "token": token}).path == "admin.token"


def test_a_path_of_a_secret_is_beside_the_configuration() -> None:
    assert located("file:a", Path("/etc")) == "file:/etc/a"
    assert located("lines:/run/a", Path("/etc")) == "lines:/run/a"
    assert located("env:A", Path("/etc")) == "env:A"
    assert located("", Path("/etc")) == ""


def test_who_is_to_be_known_by_what_never_comes_is_an_error(tmp_path: Path) -> None:
    peers, shown = {"peers": [{"uid": 1, "id": "a"}]}, {"certificates": [{"subject": "CN=a", "id": "a"}]}
    asked = FILES | {"client_ca": "ca.pem"}
    assert "only a Unix socket" in problem(tmp_path, {"identity": peers}).message
    assert "asked for none" in problem(tmp_path, {"identity": shown}).message
    assert "asked for none" in problem(tmp_path, {"identity": shown, "tls": FILES}).message
    load(tmp_path, {"identity": peers, "bind": "unix:s"})
    load(tmp_path, {"identity": shown, "tls": asked})


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("https://tools.example", ("https://tools.example", "")),
        ("https://tools.example:8443/wall/", ("https://tools.example:8443", "/wall")),
        ("http://[::1]:80", ("http://[::1]:80", "")),
    ],
)
def test_what_clients_see_a_listener_by(said: str, read: tuple[str, str], tmp_path: Path) -> None:
    assert load(tmp_path, {"external_url": said}).listeners[0].external == {"": read}
    (listener,) = load(
        tmp_path, {"hosts": {"a.test": "a"}, "external_url": {"a.test": said, "localhost": said}}
    ).listeners
    assert listener.external == {"a.test": read, "localhost": read}


@pytest.mark.parametrize(
    "said",
    ["tools.example", "ftp://a.test", "https://", "https://a.test?", "https://a.test/?x=1", "https://a.test/#x", "https://u@a.test",
     "https://u:p@a.test", 'https://a.test/"x', "https://a.test/ä", "https://a.test/a b", "https://a.test:99999", "https://a.test/{x}"],
)  # fmt: skip
def test_what_is_no_such_url(said: str, tmp_path: Path) -> None:
    assert problem(tmp_path, {"external_url": said}).path == "listeners[0].external_url"
    assert problem(tmp_path, {"external_url": {"localhost": said}}).path == "listeners[0].external_url.localhost"


def test_one_url_does_not_hold_where_the_host_tells(tmp_path: Path) -> None:
    no = problem(tmp_path, {"hosts": {"a.test": "a"}, "external_url": "https://tools.example"})
    assert (no.path, "{HOST: URL}" in no.hint) == ("listeners[0].external_url", True)
    no = problem(tmp_path, {"hosts": {"a.test": "a"}, "external_url": {"b.test": "https://b.example"}})
    assert no.path == "listeners[0].external_url.b.test"
