"""What the tests of the commands about rules share: a small folder of rules, and a way to run a command."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.cli import app

CRM = """\
backend: crm
url: https://crm.test/api
tools:
  get:
    says: Look up one customer. Changes nothing.
    call: GET /customers/{id}
    args: {id: {type: integer, minimum: 1}}
  refund:
    says: Pay money back.
    call: POST /refunds
    args: {cents: {type: integer}}
    effect: irreversible
"""
POLICY = """\
rules:
  - {id: readers, allow: crm.get, to: {roles: [support]}}
  - id: small
    allow: crm.refund
    to: {roles: [billing]}
    when: args.cents <= 100
examples:
  - {as: {roles: [support]}, call: crm.get, args: {id: 7}, expect: allow}
  - {as: {roles: [billing]}, call: crm.refund, args: {cents: 7}, expect: approval}
"""


def rules_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of rules where the commands look for it."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "crm.yaml").write_text(CRM)
    (folder / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    return folder


def toolwall(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(args))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr
