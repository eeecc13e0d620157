"""The certificate of a listener, and what becomes of it when its files change."""

from __future__ import annotations

import logging
import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from proxy.listening_settings import TlsSettings
from proxy.transports.tls import Tls, TlsError
from tests.certificates import DAY, Authority, key_pem

AUTHORITY = Authority.new()


@pytest.fixture
def settings(tmp_path: Path) -> TlsSettings:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.own.pem)
    return TlsSettings(*AUTHORITY.server().write(tmp_path))


def refused(settings: TlsSettings) -> str:
    with pytest.raises(TlsError) as caught:
        Tls("d", settings)
    return str(caught.value)


def test_what_is_spoken(settings: TlsSettings) -> None:
    context = Tls("d", settings).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert {each["aead"] for each in context.get_ciphers()} == {True}


def test_whom_clients_are_signed_by(settings: TlsSettings, tmp_path: Path) -> None:
    for client, mode in (("required", ssl.CERT_REQUIRED), ("optional", ssl.CERT_OPTIONAL)):
        context = Tls("d", replace(settings, client_ca=tmp_path / "ca.pem", client=client)).context
        assert context.verify_mode is mode
        assert len(context.get_ca_certs()) == 1  # and none of the system's


def test_files_that_cannot_be_used(settings: TlsSettings, tmp_path: Path) -> None:
    bad, other = tmp_path / "bad", AUTHORITY.server()
    assert "No such file" in refused(replace(settings, certificate=bad))
    bad.write_bytes(b"no pem")
    assert refused(replace(settings, certificate=bad)) == f"{bad} holds no certificate in PEM form"
    assert "no certificate and key that OpenSSL takes (both are PEM, " in refused(replace(settings, key=bad))
    assert refused(replace(settings, client_ca=bad)) == f"{bad} holds no certificates in PEM form"
    bad.write_bytes(key_pem(other.key))
    assert refused(replace(settings, key=bad)) == f"{bad} is not the key of {settings.certificate}"
    bad.write_bytes(key_pem(other.key, b"pass phrase"))
    assert refused(replace(settings, key=bad)) == f"{bad} is encrypted; give it without a pass phrase"
    bad.write_bytes(other.pem)
    assert refused(replace(settings, client_ca=bad)) == f"{bad} holds no certificate of an authority"
    bad.write_bytes(b"x" * (1 << 20) + b"x")
    assert "larger than" in refused(replace(settings, certificate=bad))


def test_changed_files_are_read_and_unchanged_ones_are_not(settings: TlsSettings, tmp_path: Path) -> None:
    tls = Tls("d", settings)
    before = tls.context
    tls.look()
    assert tls.context is before
    AUTHORITY.server().write(tmp_path)
    tls.look()
    assert tls.context is not before
    assert (tls.trouble, tls.note) == ("", "")


def test_a_broken_pair_keeps_the_one_before_until_it_is_mended(
    settings: TlsSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tls, before = Tls("d", settings), settings.certificate.read_bytes()
    good = tls.context
    settings.certificate.write_bytes(AUTHORITY.server().pem)  # its key comes later
    with caplog.at_level(logging.INFO, "toolwall"):
        for _ in range(3):
            tls.look()
    assert tls.context is good
    assert "is not the key of" in tls.trouble
    assert tls.note == f"its new certificate cannot be used, the one before stays: {tls.trouble}"
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    settings.certificate.unlink()
    tls.look()
    assert "No such file" in tls.trouble
    settings.certificate.write_bytes(before)  # what it was: that is a change, too
    tls.look()
    assert (tls.trouble, tls.note) == ("", "")
    AUTHORITY.server().write(tmp_path)
    tls.look()
    assert (tls.trouble, tls.note) == ("", "")


@pytest.mark.parametrize(
    ("begins", "ends", "note"),
    [
        (-DAY, DAY, ""),
        (-9 * DAY, DAY / 2, "its certificate ends"),
        (-9 * DAY, -DAY, "its certificate ends"),
        (-timedelta(minutes=50), timedelta(minutes=10), ""),
        (-timedelta(minutes=57), timedelta(minutes=3), "its certificate ends"),
        (DAY, 2 * DAY, "its certificate is not valid before"),
    ],
)
def test_a_certificate_whose_time_is_over_is_noted(
    begins: timedelta, ends: timedelta, note: str, tmp_path: Path
) -> None:
    found = Tls("d", TlsSettings(*AUTHORITY.server(begins=begins, ends=ends).write(tmp_path))).note
    assert found.startswith(note)
    assert bool(found) == bool(note)


def test_failed_handshakes_are_counted_and_told_of_now_and_then(
    settings: TlsSettings, caplog: pytest.LogCaptureFixture
) -> None:
    tls = Tls("d", settings)
    for _ in range(100):
        tls.failed(ConnectionResetError())
    assert tls.refused == 100
    assert [each.message for each in caplog.records] == [
        "handshakes with d fail, 1 up to now; the last: it was broken off, or took too long"
    ]
