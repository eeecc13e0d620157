"""deploy/systemd/: the units are well-formed, confine what they should, and Toolwall lives within them."""

from __future__ import annotations

import ctypes
import re
import socket
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from proxy.config import is_loopback, load_config
from tests.deploy.examples import lay
from tests.deploy.machine import DEPLOY, crm, debian, get, process, run, until

FOLDER = DEPLOY / "systemd"
MOST_EXPOSED = 1.5  # systemd's own score, 0 to 10; what remains is being a program that talks to the network
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1


def section(file: str, name: str) -> dict[str, list[str]]:
    """The settings of one section; some settings stand more than once."""
    text = (FOLDER / file).read_text().partition(f"[{name}]\n")[2]
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^([A-Z]\w+)=(.*)$", text.partition("\n[")[0], re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


SERVICE = section("toolwall.service", "Service")
AGENT = section("agent-only-toolwall.conf", "Service")


def test_the_service_is_nobody_and_writes_to_its_state_only() -> None:
    assert SERVICE["DynamicUser"] == ["yes"]
    assert (SERVICE["StateDirectory"], SERVICE["StateDirectoryMode"]) == (["toolwall"], ["0700"])
    assert SERVICE["ProtectSystem"] == ["strict"]
    assert "ReadWritePaths" not in SERVICE
    assert (SERVICE["NoNewPrivileges"], SERVICE["CapabilityBoundingSet"]) == (["yes"], [""])


def test_it_is_told_to_stop_before_it_is_killed() -> None:
    (stop,) = SERVICE["TimeoutStopSec"]
    settings = load_config(DEPLOY / "demo" / "toolwall.yaml")
    assert float(stop.removesuffix("s")) > settings.drain_s


def test_the_agent_reaches_one_loopback_address() -> None:
    assert AGENT["IPAddressDeny"] == ["any"]
    (address,) = AGENT["IPAddressAllow"]
    assert is_loopback(address)
    assert ip_address(address) not in {ip_address("127.0.0.1"), ip_address("127.0.0.53")}
    assert "AF_UNIX" not in AGENT["RestrictAddressFamilies"][0]


def test_the_door_may_be_at_the_agents_address_with_a_static_principal(tmp_path: Path) -> None:
    (address,) = AGENT["IPAddressAllow"]
    text = (DEPLOY / "demo" / "toolwall.yaml").read_text()
    (tmp_path / "toolwall.yaml").write_text(text.replace("bind: 127.0.0.1:8080", f"bind: {address}:8080"))
    (listener,) = load_config(tmp_path / "toolwall.yaml").listeners
    assert (listener.host, address in listener.names) == (address, True)
    assert listener.static is not None


@pytest.mark.full
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    debian(systemd_analyze="systemd")
    unit = tmp_path / "toolwall.service"
    unit.write_text((FOLDER / "toolwall.service").read_text().replace("/opt/toolwall/bin/toolwall", sys.executable))
    drop_in = tmp_path / "agent.service"
    drop_in.write_text((FOLDER / "agent-only-toolwall.conf").read_text() + "ExecStart=/bin/true\n")
    for each in (unit, drop_in):
        done = run("systemd-analyze", "verify", "--man=no", each)
        assert tmp_path.name not in done.stderr, done.stderr
    said = run("systemd-analyze", "security", "--offline=true", unit).stdout
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1])  # type: ignore[index]
    print(f"exposure {exposure}")
    assert exposure <= MOST_EXPOSED


def write_or_execute() -> None:
    """As MemoryDenyWriteExecute: no memory of this process, and of what it runs, becomes executable."""
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
        raise OSError("this kernel has no PR_SET_MDWE")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.full
def test_it_needs_no_memory_that_is_written_and_run(tmp_path: Path) -> None:
    """CEL, RE2, the JSON Schema validator and uvloop are machine code of their own; none makes code as it runs."""
    assert SERVICE["MemoryDenyWriteExecute"] == ["yes"]
    probe = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)"
    held = subprocess.run([sys.executable, "-c", probe], preexec_fn=write_or_execute, capture_output=True)
    assert b"PermissionError" in held.stderr
    port, admin = free_port(), free_port()
    with crm() as backend:
        change = {
            "https://crm.example.com/api": f"http://127.0.0.1:{backend}",
            "0.0.0.0:8080": f"127.0.0.1:{port}",
            "127.0.0.1:9464": f"127.0.0.1:{admin}",
            "state: /var/lib/toolwall": f"state: {tmp_path}/state",
        }
        source = DEPLOY / "compose"
        key = lay(source / "toolwall.yaml", source / "rules", tmp_path, change)
        command = (sys.executable, "-m", "proxy.cli", "run", "-c", tmp_path / "toolwall.yaml")
        with process(*command, preexec_fn=write_or_execute) as sidecar:
            until(lambda: get(admin, "/healthz"), sidecar)
            reply = get(port, "/crm/customers/7", Toolwall_Key=key)
    assert reply == (200, '{"id":7,"email":"<EMAIL_ADDRESS>"}')
