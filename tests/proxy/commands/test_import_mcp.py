import pytest
from typer.testing import CliRunner

from proxy.cli import app
from rules.load import load
from tests.proxy.mcp.server import McpServer, serving
from tests.rules.mcp.hub import CREATE, FILE, README, REVIEW, SEARCH


@pytest.fixture
def server():
    made = McpServer(modern=False, as_events=True)
    made.has = {
        "tools/list": [SEARCH, CREATE],
        "prompts/list": [REVIEW],
        "resources/list": [README],
        "resources/templates/list": [FILE],
    }
    with serving(made):
        yield made


def toolwall(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_one_command_makes_a_folder_that_passes(server, tmp_path):
    out = tmp_path / "rules"
    done = toolwall("import", "mcp", server.url, "-o", out)
    assert done.exit_code == 0, done.output
    assert "Test hub 7 (2025-11-25): 2 tools, 1 prompts, 2 resources" in done.output
    assert "1 read, 1 write, 0 irreversible, 0 admin" in done.output
    assert {path.name for path in out.iterdir()} == {
        "test_hub.yaml",
        "test_hub.policy.yaml",
        "test_hub.definitions.json",
    }
    for command in ("check", "test"):
        done = toolwall(command, out)
        assert done.exit_code == 0, done.output
    (backend,) = load(out).catalog.backends.values()
    assert (backend.name, str(backend.url)) == ("test_hub", server.url)
    assert backend.addresses, "an address that was given may be called"


def test_again_is_nothing_new_and_edits_stay(server, tmp_path):
    out = tmp_path / "rules"
    words = ("import", "mcp", server.url, "-o", out, "--name", "hub")
    toolwall(*words)
    assert "Nothing to write" in toolwall(*words).output
    file = out / "hub.yaml"
    file.write_text(file.read_text() + "# mine\n")
    done = toolwall(*words)
    assert (done.exit_code, "--force" in done.output) == (3, True)
    assert toolwall(*words, "--force").exit_code == 0
    assert "# mine" not in file.read_text()


def test_a_token_comes_from_where_nobody_reads_it(server, tmp_path, monkeypatch):
    server.token = "t0k"
    words = ("import", "mcp", server.url, "-o", tmp_path / "rules")
    done = toolwall(*words)
    assert (done.exit_code, "--token" in done.output) == (3, True)
    monkeypatch.setenv("HUB_TOKEN", "t0k\n")
    done = toolwall(*words, "--token", "env:HUB_TOKEN")
    assert (done.exit_code, "say under `credential`" in done.output) == (0, True)
    assert not [path for path in (tmp_path / "rules").iterdir() if b"t0k" in path.read_bytes()]
    (tmp_path / "token").write_text("t0k\n")
    assert toolwall(*words, "--token", f"file:{tmp_path / 'token'}").exit_code == 0
    for bad in ("t0k", "env:", "vault:x"):
        done = toolwall(*words, "--token", bad)
        assert (done.exit_code, "never the token itself" in done.output) == (2, True)
    for none in ("env:NOT_SET", f"file:{tmp_path / 'gone'}"):
        assert toolwall(*words, "--token", none).exit_code == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [(("ftp://x",), 2), (("http://127.0.0.1:1/mcp",), 3), (("http://127.0.0.1:1/", "--reader", ""), 2)],
)
def test_what_cannot_be_is_said_and_nothing_is_written(tmp_path, words, code):
    done = toolwall("import", "mcp", *words, "-o", tmp_path / "rules")
    assert done.exit_code == code
    assert not (tmp_path / "rules").exists()


def test_the_slash_at_the_end_of_an_endpoint_stays(server, tmp_path):
    done = toolwall("import", "mcp", f"{server.url}/", "-o", tmp_path / "rules", "--name", "hub")
    assert done.exit_code == 0
    assert server.heads[-1].startswith("DELETE /mcp/ ")
    assert str(load(tmp_path / "rules").catalog.backends["hub"].url) == f"{server.url}/"


def test_a_name_that_is_none_is_refused(server, tmp_path):
    done = toolwall("import", "mcp", server.url, "-o", tmp_path / "rules", "--name", "a.b")
    assert done.exit_code == 2
    assert not (tmp_path / "rules").exists()


def test_what_could_not_be_taken_over_is_told(server, tmp_path):
    server.has["tools/list"] = [SEARCH, {"name": "bad", "inputSchema": {"type": "array"}}, {"name": 7}]
    done = toolwall("import", "mcp", server.url, "-o", tmp_path / "rules", "--name", "hub")
    assert done.exit_code == 0
    assert "tool bad: must be object" in done.output
    assert "has no name" in done.output
    assert "tool bad: must be object" in (tmp_path / "rules" / "hub.yaml").read_text()
