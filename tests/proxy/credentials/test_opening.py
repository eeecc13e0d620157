"""What is opened for credentials at the start. `tests/doors/test_vault_credentials.py` sends what comes of it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.config import Settings, load_config
from proxy.credentials.injecting import Injecting
from proxy.credentials.living import Living
from proxy.credentials.opening import configured, open_vault, tell_of
from proxy.known import SecretsError
from proxy.telemetry.telemetry import Telemetry, TelemetrySettings
from tests.vault.world import imitated

VALUE, OTHER = "kestrel-" + "9Xw4pQ7t", "osprey-" + "3Vb8nK1s"


def settings(folder: Path, more: str = "") -> Settings:
    file = folder / "toolwall.yaml"
    file.write_text(f"listeners: [{{bind: '127.0.0.1:0', identity: {{static: {{id: bot}}}}}}]\n{more}")
    return load_config(file)


def test_what_the_sidecar_sends_elsewhere_is_known_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").write_text(VALUE)
    monkeypatch.setenv("COLLECTOR", f"Bearer {OTHER}")
    more = "known_secrets: ['file:one']\ntelemetry: {otlp: 'http://127.0.0.1:9', headers: {A: 'env:COLLECTOR'}}\n"
    known = configured(settings(tmp_path, more))
    assert [known.sees(each.encode()) for each in (VALUE, OTHER)] == [True, True]
    monkeypatch.delenv("COLLECTOR")
    with pytest.raises(SecretsError, match="COLLECTOR is not set"):
        configured(settings(tmp_path, more))


def test_vault_is_opened_where_there_is_one_and_told_of_in_metrics(tmp_path: Path) -> None:
    async def play() -> None:
        living, telemetry = Living(), Telemetry.open(TelemetrySettings())
        async with AsyncExitStack() as stack:
            assert open_vault(stack, settings(tmp_path), living) is None
            with imitated(tmp_path) as there:
                with_vault = replace(settings(tmp_path), vault=there.settings())
                vaults = open_vault(stack, with_vault, living)
                tell_of(Injecting(living, vault=vaults), vaults, telemetry)
                async with asyncio.timeout(3):
                    while not living:  # the sidecar's own token is a secret as well
                        await asyncio.sleep(0.005)
                text = telemetry.prometheus().decode()
                assert "toolwall_vault_age 0.0" in text
                assert "toolwall_vault_leases 0.0" in text
                await stack.aclose()

    asyncio.run(play())
