"""deploy/kubernetes/: what is applied is valid, hardened, reaches nothing it need not, and its configuration loads."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.admin import Admits, admin_server, reading
from proxy.admin_token import token_hash
from proxy.config import Settings, load_config
from proxy.listening_settings import Place
from proxy.state import load_key, state_folder
from proxy.telemetry.telemetry import Telemetry, TelemetrySettings
from proxy.transports.listening import listen
from rules.load import load
from tests.deploy.examples import PLACEHOLDER, with_key
from tests.deploy.machine import DEPLOY, debian, run, tool

FOLDER = DEPLOY / "kubernetes"
WAYS = ("sidecar", "apart")
# The oldest release with native sidecars on by default, and newer ones that the checker has.
RELEASES = ("1.29", "1.32", "1.35")
DNS = {("UDP", 53), ("TCP", 53)}


def objects(way: str) -> list[dict[str, Any]]:
    """What the kustomization of this way lists, as written."""
    kustomization = yaml.safe_load((FOLDER / way / "kustomization.yaml").read_text())
    files = [FOLDER / way / name for name in kustomization["resources"] if name.endswith(".yaml")]
    return [each for file in files for each in yaml.safe_load_all(file.read_text())]


def one(way: str, kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in objects(way) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pods(way: str) -> Iterator[dict[str, Any]]:
    for each in objects(way):
        if each["kind"] in ("StatefulSet", "Deployment"):
            yield each["spec"]["template"]["spec"]


def containers(way: str) -> Iterator[dict[str, Any]]:
    for pod in pods(way):
        yield from pod.get("initContainers", []) + pod["containers"]


def toolwall(way: str) -> dict[str, Any]:
    (found,) = [each for each in containers(way) if each["name"] == "toolwall"]
    return found


def settings(way: str, folder: Path) -> Settings:
    text = (FOLDER / way / "toolwall.yaml").read_text()
    (folder / "toolwall.yaml").write_text(with_key(text)[0] if PLACEHOLDER in text else text)
    return load_config(folder / "toolwall.yaml")


def egress(policy: dict[str, Any]) -> set[tuple[str, int]]:
    return {(port["protocol"], port["port"]) for rule in policy["spec"]["egress"] for port in rule["ports"]}


def test_the_sidecar_is_native_and_the_agent_waits_for_it() -> None:
    (pod,) = pods("sidecar")
    (init,) = pod["initContainers"]
    assert (init["name"], init["restartPolicy"]) == ("toolwall", "Always")
    assert "/readyz" in init["startupProbe"]["exec"]["command"][-1]
    assert [each["name"] for each in pod["containers"]] == ["agent"]


@pytest.mark.parametrize("way", WAYS)
def test_every_pod_is_hardened(way: str) -> None:
    for pod in pods(way):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & pod.keys()
    for container in containers(way):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("way", WAYS)
def test_probes_ask_the_admin_listener(way: str, tmp_path: Path) -> None:
    container = toolwall(way)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert settings(way, tmp_path).admin.place == ("0.0.0.0", ports["admin"], "", 0o600)
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "admin"}
    assert container["startupProbe"]["exec"] == container["readinessProbe"]["exec"]


def is_ready(way: str, port: int, token: str) -> bool:
    """What the readiness probe says of another port, with this token in the environment."""
    program, *words = toolwall(way)["readinessProbe"]["exec"]["command"]
    assert program == "python"
    command = [sys.executable, *(word.replace("9464", str(port)) for word in words)]
    found = subprocess.run(command, env={"TOOLWALL_ADMIN_TOKEN": token}, capture_output=True)
    return found.returncode == 0


async def probed(way: str, token: str) -> list[bool]:
    """What the probe says of a listener that is ready, of one that is not, with the wrong token, and of none."""
    state, telemetry = {"ledger": "ok"}, Telemetry.open(TelemetrySettings())
    async with AsyncExitStack() as stack:
        stack.callback(telemetry.close)
        admits = Admits(token=token_hash("env:T", {"T": token}))
        runner = admin_server(reading(telemetry, lambda: state), admits)
        port = int((await listen(stack, runner, Place("127.0.0.1"), None)).rpartition(":")[2])
        said = [await asyncio.to_thread(is_ready, way, port, each) for each in (token, token[:-1])]
        state["ledger"] = "full"
        said.append(await asyncio.to_thread(is_ready, way, port, token))
    return [*said, await asyncio.to_thread(is_ready, way, port, token)]


@pytest.mark.parametrize("way", WAYS)
def test_the_readiness_probe_has_the_token_and_tells_ready_from_not(way: str) -> None:
    assert asyncio.run(probed(way, os.urandom(16).hex())) == [True, False, False, False]


@pytest.mark.parametrize("way", WAYS)
def test_configuration_rules_and_state_are_where_they_are_mounted(way: str, tmp_path: Path) -> None:
    mounts = {mount["name"]: mount for mount in toolwall(way)["volumeMounts"]}
    found = settings(way, tmp_path)
    assert mounts["config"]["mountPath"] == "/etc/toolwall"
    assert mounts["rules"]["mountPath"] == str(found.rules)
    assert mounts["state"]["mountPath"] == str(found.state.parent)  # the volume's own folder is open to the group
    assert mounts["config"]["readOnly"]
    assert mounts["rules"]["readOnly"]
    assert "readOnly" not in mounts["state"]


@pytest.mark.parametrize("way", WAYS)
def test_state_key_and_admin_token_come_from_a_secret_that_is_not_in_the_files(way: str, tmp_path: Path) -> None:
    key, token = toolwall(way)["env"]
    found = settings(way, tmp_path)
    assert (found.state_key, found.admin.token) == (f"env:{key['name']}", f"env:{token['name']}")
    assert key["valueFrom"] == {"secretKeyRef": {"name": "toolwall", "key": "state-key"}}
    assert token["valueFrom"] == {"secretKeyRef": {"name": "toolwall", "key": "admin-token"}}
    assert not [each for each in objects(way) if each["kind"] == "Secret"]


def test_a_volume_of_the_pods_group_holds_the_state(tmp_path: Path) -> None:
    """With fsGroup the kubelet makes the volume's folder 2775; a folder below it is ours alone."""
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o2775)
    folder = state_folder(volume / "state")
    assert folder.stat().st_mode & 0o777 == 0o700
    load_key("env:TOOLWALL_STATE_KEY", folder, {"TOOLWALL_STATE_KEY": os.urandom(32).hex()})
    for way in WAYS:
        groups = [pod["securityContext"] for pod in pods(way) if "fsGroup" in pod["securityContext"]]
        assert [group["fsGroupChangePolicy"] for group in groups] == ["OnRootMismatch"]


def test_a_ledger_has_one_writer() -> None:
    for way in WAYS:
        (name,) = [each["metadata"]["name"] for each in objects(way) if each["kind"] == "StatefulSet"]
        (claim,) = one(way, "StatefulSet", name)["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert one("apart", "StatefulSet", "toolwall")["spec"]["replicas"] == 1


def test_the_rules_load_from_a_config_map_as_it_is_mounted(tmp_path: Path) -> None:
    """The kubelet lays the files in a hidden folder and links to it, twice."""
    base = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())
    (generator,) = base["configMapGenerator"]
    data = tmp_path / "..2026_01_01"
    data.mkdir()
    (tmp_path / "..data").symlink_to(data.name)
    for name in generator["files"]:
        file = FOLDER / "base" / name
        (data / file.name).write_bytes(file.read_bytes())
        (tmp_path / file.name).symlink_to(Path("..data") / file.name)
    rules = load(tmp_path)
    assert set(rules.catalog.tools) == {"crm.get_customer", "crm.add_note"}
    listed = {Path(name).name for name in generator["files"]}
    assert listed == {file.name for file in (FOLDER / "base" / "rules").iterdir()}


def test_in_a_sidecar_the_door_is_on_the_pods_loopback(tmp_path: Path) -> None:
    (listener,) = settings("sidecar", tmp_path).listeners
    assert listener.place.host == "127.0.0.1"
    assert listener.identity.static is not None
    (pod,) = pods("sidecar")
    assert {"name": "CRM_URL", "value": f"http://127.0.0.1:{listener.place.port}/crm"} in pod["containers"][0]["env"]


def test_apart_the_door_needs_a_key_and_the_name_of_the_service(tmp_path: Path) -> None:
    (listener,) = settings("apart", tmp_path).listeners
    service = one("apart", "Service", "toolwall")
    assert listener.identity.static is None
    assert service["metadata"]["name"] in listener.names
    assert {port["port"] for port in service["spec"]["ports"]} == {listener.place.port}


def test_apart_the_agent_reaches_toolwall_and_nothing_else() -> None:
    policy = one("apart", "NetworkPolicy", "agent")
    assert sorted(policy["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert policy["spec"]["ingress"] == []
    assert policy["spec"]["egress"] == [
        {"to": [{"podSelector": {"matchLabels": {"app": "toolwall"}}}], "ports": [{"protocol": "TCP", "port": 8080}]}
    ]
    pod = one("apart", "Deployment", "agent")["spec"]["template"]["spec"]
    assert (pod["dnsPolicy"], pod["dnsConfig"]) == ("None", {"nameservers": ["127.0.0.1"]})
    address = one("apart", "Service", "toolwall")["spec"]["clusterIP"]
    assert pod["hostAliases"] == [{"ip": address, "hostnames": ["toolwall"]}]


@pytest.mark.parametrize(("way", "policy"), [("sidecar", "agent"), ("apart", "toolwall")])
def test_toolwalls_pod_reaches_dns_and_the_backend_and_nothing_else(way: str, policy: str) -> None:
    backend = load(FOLDER / "base" / "rules").catalog.backends["crm"]
    assert egress(one(way, "NetworkPolicy", policy)) == DNS | {("TCP", backend.url.port)}
    assert all(rule["to"] for rule in one(way, "NetworkPolicy", policy)["spec"]["egress"])


@pytest.mark.parametrize("way", WAYS)
def test_every_pod_has_a_network_policy(way: str) -> None:
    policies = [each["spec"]["podSelector"]["matchLabels"] for each in objects(way) if each["kind"] == "NetworkPolicy"]
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in objects(way) if "template" in each["spec"]]
    assert sorted(policies, key=str) == sorted(labels, key=str)


@pytest.mark.full
@pytest.mark.parametrize("way", WAYS)
def test_what_is_applied_is_valid(way: str, tmp_path: Path) -> None:
    debian(kubectl="kubernetes-client")
    rendered = run("kubectl", "kustomize", FOLDER / way).stdout
    (tmp_path / "all.yaml").write_text(rendered)
    for release in RELEASES:
        run(tool("kubernetes-validate"), "-k", release, "--strict", tmp_path / "all.yaml")
    maps = {each["metadata"]["name"]: each["data"] for each in yaml.safe_load_all(rendered) if "data" in each}
    mounted = {name for name in maps if f"name: {name}" in rendered.partition("StatefulSet")[2]}
    assert mounted == set(maps), "a ConfigMap is not mounted under the name that its hash gave it"
    assert {key for data in maps.values() for key in data} == {"crm.yaml", "policy.yaml", "toolwall.yaml"}
