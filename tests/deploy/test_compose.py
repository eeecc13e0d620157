"""deploy/compose.yaml: the agent's only way out is the sidecar, and what lies beside it loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.config import ConfigError, load_config
from rules.load import load
from tests.deploy.examples import with_key
from tests.deploy.machine import DEPLOY, run, tool

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
AGENT, SIDECAR = COMPOSE["services"]["agent"], COMPOSE["services"]["toolwall"]
CONFIG = DEPLOY / "compose" / "toolwall.yaml"


def networks(service: dict[str, Any]) -> list[str]:
    return sorted(service["networks"])


def test_the_agent_is_in_internal_networks_only() -> None:
    assert networks(AGENT) == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert "network_mode" not in AGENT


def test_the_host_is_not_on_the_agents_network() -> None:
    options = COMPOSE["networks"]["inside"]["driver_opts"]
    assert options == {"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}


def test_only_the_sidecar_joins_both_networks() -> None:
    assert networks(SIDECAR) == ["inside", "outside"]
    assert [name for name, service in COMPOSE["services"].items() if "outside" in service["networks"]] == ["toolwall"]


@pytest.mark.parametrize("service", [AGENT, SIDECAR], ids=["agent", "toolwall"])
def test_nobody_gains_privileges_or_is_published(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"ports", "privileged", "cap_add", "pid", "ipc", "devices", "extra_hosts"} & service.keys()


def test_no_container_holds_the_engines_socket() -> None:
    assert "docker.sock" not in (DEPLOY / "compose.yaml").read_text()
    assert "volumes" not in AGENT


def test_the_sidecar_writes_to_its_volume_only() -> None:
    assert SIDECAR["read_only"] is True
    assert [volume for volume in SIDECAR["volumes"] if not volume.endswith(":ro")] == ["state:/var/lib/toolwall"]
    assert "state" in COMPOSE["volumes"]


def test_the_key_has_no_default() -> None:
    assert AGENT["environment"]["TOOLWALL_KEY"].startswith("${TOOLWALL_KEY:?")


def test_nothing_starts_with_the_placeholder() -> None:
    with pytest.raises(ConfigError, match=r"sha256.*64 hex digits"):
        load_config(CONFIG)


def test_with_a_key_the_sidecar_is_where_the_agent_looks_for_it(tmp_path: Path) -> None:
    text, _ = with_key(CONFIG.read_text())
    (tmp_path / "toolwall.yaml").write_text(text)
    settings = load_config(tmp_path / "toolwall.yaml")
    (listener,) = settings.listeners
    assert AGENT["environment"]["CRM_URL"] == f"http://toolwall:{listener.place.port}/crm"
    assert (listener.place.host, "toolwall" in listener.names, listener.identity.static) == ("0.0.0.0", True, None)
    assert settings.admin.place[:2] == ("127.0.0.1", 9464)  # the agent's network does not reach it
    assert str(settings.state) == "/var/lib/toolwall"


def test_the_agents_role_is_one_that_the_rules_know() -> None:
    rules = load(DEPLOY / "compose" / "rules")
    roles = {role for rule in rules.rules for role in rule.to.roles}
    assert roles == {"support"}
    assert set(rules.catalog.backends) == {"crm"}


@pytest.mark.full
def test_the_file_is_what_compose_specifies() -> None:
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
