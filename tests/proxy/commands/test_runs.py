"""`toolwall runs`, `stop` and `resume` where no sidecar runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy import orders
from proxy.commands.runs import MOST_S
from proxy.stops import revoked
from proxy.stops.halts import Mark
from tests.proxy.test_cli import LISTENER, toolwall


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(orders, "PATIENCE_S", 0.05)
    monkeypatch.setattr(orders.give, "__defaults__", (0.05,))
    monkeypatch.setattr(orders.ask, "__defaults__", (0.05,))
    (tmp_path / "toolwall.yaml").write_text(f"state: state\n{LISTENER}")
    return str(tmp_path / "toolwall.yaml")


def test_what_is_revoked_now_holds_at_the_start(tmp_path: Path, config: str) -> None:
    assert toolwall("runs", "revoke", "r1", "--principal", "ann", "-c", config)[0] == 0
    assert [each.mark for each in revoked.read(tmp_path / "state")] == [Mark("ann", "r1")]
    code, out, err = toolwall("runs", "list", "-c", config)
    assert code == 0
    assert "Revoked: run r1 of ann, since 20" in out.decode()
    assert "No sidecar that runs answers" in err
    assert toolwall("runs", "allow", "r1", "-c", config)[0] == 0
    assert revoked.read(tmp_path / "state") == ()


@pytest.mark.parametrize("args", [[], ["a\nb"], ["x" * 129], ["--principal", "\x1b[2J"]])
def test_what_nobody_is_called_is_wrong_usage(tmp_path: Path, config: str, args: list[str]) -> None:
    for command in ("revoke", "allow"):
        code, _, err = toolwall("runs", command, "-c", config, *args)
        assert (code, bool(err)) == (2, True)
    assert not (tmp_path / "state").exists()


def test_a_list_that_cannot_be_used_is_said(tmp_path: Path, config: str) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / revoked.NAME).write_text("{")
    for command in (["revoke", "r1"], ["allow", "r1"], ["list"]):
        code, _, err = toolwall("runs", *command, "-c", config)
        assert (code, "mend it" in err) == (3, True)


def test_who_has_no_name_may_stop_it_too(tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user often has none; the number of nobody here stands for it."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 987_654_321)
    assert toolwall("stop", "-c", config)[0] == 0
    assert "uid 987654321" in (tmp_path / "state" / "stop").read_text()


def test_the_switch_is_the_file_that_the_configuration_names(tmp_path: Path, config: str) -> None:
    assert toolwall("stop", "-c", config)[0] == 0
    assert (tmp_path / "state" / "stop").exists()
    assert toolwall("stop", "-c", config)[0] == 0
    assert toolwall("resume", "-c", config)[0] == 0
    assert toolwall("resume", "-c", config)[0] == 1
    Path(config).write_text(f"state: state\nstop: no/such/folder/stop\n{LISTENER}")
    code, _, err = toolwall("stop", "-c", config)
    assert (code, "kill -USR1" in err) == (3, True)
    assert MOST_S > 0
