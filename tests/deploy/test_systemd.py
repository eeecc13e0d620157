"""deploy/systemd/: the units are well-formed, confine what they should, and Toolwall lives within them."""

from __future__ import annotations

import re
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from proxy.config import load_config
from proxy.listening_settings import is_loopback
from tests.deploy.examples import on_loopback
from tests.deploy.machine import DEPLOY, PATIENCE_S, ROOT, crm, debian, get, process, run, tool, until

FOLDER = DEPLOY / "systemd"
MOST_EXPOSED = 1.5  # systemd's own score, 0 to 10; what remains is being a program that talks to the network


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
    assert (listener.place.host, address in listener.names) == (address, True)
    assert listener.identity.static is not None


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


def confined(*command: str | Path) -> list[str | Path]:
    """A command under the unit's filter of system calls, with no memory that is written and run."""
    return [tool("python"), Path(__file__).with_name("confined.py"), *SERVICE["SystemCallFilter"], "--", *command]


@pytest.mark.full
@pytest.mark.parametrize(
    "program",
    [
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
        "import os; os.chroot('/')",
        "import os; os.setpriority(os.PRIO_PROCESS, 0, 1)",
        "import os; os.setuid(0)",
    ],
)
def test_what_the_unit_forbids_fails(program: str) -> None:
    said = run(*confined(sys.executable, "-c", program), check=False)
    assert "PermissionError" in said.stderr, said


@pytest.mark.full
def test_toolwall_lives_within_the_unit(tmp_path: Path) -> None:
    """CEL, RE2, the JSON Schema validator and uvloop are machine code of their own; none makes code as it runs."""
    assert SERVICE["MemoryDenyWriteExecute"] == ["yes"]
    with crm() as backend:
        port, admin, key = on_loopback(tmp_path, backend)
        program = (sys.executable, "-m", "proxy.cli", "run", "-c", tmp_path / "toolwall.yaml")
        with process(*confined(*program), cwd=ROOT) as sidecar:
            until(lambda: get(admin, "/healthz"), sidecar)
            reply = get(port, "/crm/customers/7", Toolwall_Key=key)
            metrics, _ = get(admin, "/metrics")
            sidecar.terminate()
            assert sidecar.wait(PATIENCE_S) == 0
    assert reply == (200, '{"id":7,"email":"<EMAIL_ADDRESS>"}')
    assert metrics == 200
