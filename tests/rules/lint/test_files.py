"""Secrets in the files themselves. They are made up anew in each run."""

import random
import string

import pytest

from rules.lint.files import about_files

TOKEN = "xoxb-" + "".join(random.choices(string.digits, k=12)) + "-" + "".join(random.choices(string.digits, k=12))
TOKEN += "-" + "".join(random.choices(string.ascii_letters, k=24))
PEM = "-----BEGIN " + "PRIVATE KEY-----\n" + "".join(random.choices(string.ascii_letters, k=64)) + "\n"


@pytest.mark.parametrize("secret", [TOKEN, PEM], ids=["token", "key"])
@pytest.mark.parametrize("name", ["crm.yaml", "below/crm.yml", "schemas/a.json"])
def test_a_secret_is_found_where_it_stands_and_not_shown(tmp_path, name, secret):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"one: 1\n# {secret}\n")
    found = list(about_files(tmp_path))
    assert [(one.id, one.place) for one in found] == [("secret-in-rules", f"{name}:2")]
    assert all(part not in str(found) for part in secret.split("\n") if part)


@pytest.mark.parametrize("name", [".hidden.yaml", ".git/crm.yaml", "notes.txt"])
def test_files_that_are_no_rules_are_not_read(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(TOKEN)
    assert list(about_files(tmp_path)) == []


def test_files_without_secrets_and_files_that_are_no_text(tmp_path):
    (tmp_path / "crm.yaml").write_text("url: https://crm.test\ncredential: {vault: secret/crm#token}\n")
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe" + TOKEN.encode())
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    assert list(about_files(tmp_path)) == []
