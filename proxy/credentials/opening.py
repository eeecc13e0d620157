"""What the sidecar opens at its start for credentials: known secrets, Vault, and their metrics."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from proxy.admin_token import TokenError, token_hash
from proxy.config import Settings
from proxy.credentials.injecting import LEAKS, Injecting
from proxy.credentials.living import Living
from proxy.known import SecretsError, known_secrets
from proxy.telemetry.telemetry import Telemetry
from redaction.known import Known

if TYPE_CHECKING:
    from proxy.vault.vaults import Vaults


def configured(settings: Settings) -> Known:
    """Known secrets: those of the configuration, and what the sidecar itself sends elsewhere. Raises SecretsError."""
    sent = [*settings.telemetry.headers.values(), *settings.ledger.headers.values()]
    own = [value for value in sent if value.startswith("env:")]
    try:
        token_hash(settings.admin.token, os.environ)  # first: who sets none has no `known_secrets` to look at
    except TokenError as why:
        raise SecretsError(str(why)) from None
    own += [settings.admin.token] if settings.admin.token else []
    return known_secrets([*settings.known_secrets, *own], os.environ)


def open_vault(stack: AsyncExitStack, settings: Settings, known: Living) -> Vaults | None:
    """Vault, where there is one; what came of it is revoked when the stack closes. In the event loop."""
    if settings.vault is None:
        return None
    from proxy.vault.vaults import Vaults  # with hvac half a second, only where used

    vaults = Vaults(settings.vault, known.tell)
    stack.push_async_callback(vaults.close)
    vaults.begin()
    return vaults


def tell_of(injecting: Injecting, vaults: Vaults | None, telemetry: Telemetry) -> None:
    """Metrics of what is sent, and of Vault where there is one."""
    telemetry.counter(LEAKS, lambda: injecting.leaks)
    if vaults is not None:
        telemetry.gauge("toolwall.vault.age", "Seconds since Vault confirmed what is used.", vaults.age)
        telemetry.gauge("toolwall.vault.leases", "Leases of Vault's that are held.", lambda: float(vaults.leases()))
