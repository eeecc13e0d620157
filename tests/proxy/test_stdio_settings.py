"""What toolwall.yaml says of `toolwall mcp`; what is wrong with it is said first."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import ConfigError, Settings, load_config

WHO = "identity: {static: {id: bot, roles: [support]}}"


def loaded(folder: Path, text: str) -> Settings:
    (folder / "toolwall.yaml").write_text(text)
    return load_config(folder / "toolwall.yaml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules: rules", "lacks the key listeners"),
        ("stdio: {}", "is empty"),
        ("stdio: {env: [A]}", "lacks the key identity"),
        ("stdio: {identity: {api_keys: []}}", "is an unknown key"),
        (f"stdio: {{{WHO}, env: ['A=b']}}", "the name of an environment variable"),
        (f"stdio: {{{WHO}, env: ['']}}", "the name of an environment variable"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        loaded(tmp_path, text)


def test_nobody_is_also_named_by_tokens_of_a_listener(tmp_path: Path) -> None:
    jwt = "{issuer: i, audience: a, keys: 'file:k', prefix: bo}"
    listener = f"listeners: [{{bind: '127.0.0.1:0', identity: {{jwt: [{jwt}]}}}}]"
    with pytest.raises(ConfigError, match="names bot, whom tokens of i could name as well"):
        loaded(tmp_path, f"{listener}\nstdio: {{{WHO}}}")


def test_who_calls_is_who_stands_there(tmp_path: Path) -> None:
    settings = loaded(tmp_path, f"stdio: {{{WHO}, env: [GITHUB_TOKEN]}}")
    assert settings.listeners == ()
    assert settings.stdio is not None
    assert settings.stdio.identity.static is not None
    assert settings.stdio.identity.static.id == "bot"
    assert settings.stdio.env == ("GITHUB_TOKEN",)
