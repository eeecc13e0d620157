import pytest

from rules.lint.tools import is_public
from tests.rules.lint.tables import cases, check


@pytest.mark.parametrize(("kind", "wanted", "case"), cases("tools"))
def test_findings_about_tools(tmp_path, kind, wanted, case):
    check(tmp_path, kind, wanted, case)


@pytest.mark.parametrize("host", ["api.somebody.com", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_hosts_of_the_internet(host):
    assert is_public(host)


@pytest.mark.parametrize("host", ["localhost", "crm", "10.1.2.3", "::1", "crm.internal", "a.ns.svc.cluster.local"])
def test_hosts_that_are_near(host):
    assert not is_public(host)
