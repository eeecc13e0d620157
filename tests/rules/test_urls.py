"""Where a backend is: what is a URL of one, and what is none."""

import pytest

from rules.urls import Url, parse_endpoint, parse_network, parse_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://crm.test", Url("https", "crm.test", 443, "")),
        ("http://crm.test/", Url("http", "crm.test", 80, "")),
        ("https://CRM.Test.:8443/Api/v1/", Url("https", "crm.test", 8443, "/Api/v1")),
        ("http://127.0.0.1:80", Url("http", "127.0.0.1", 80, "")),
        ("http://[::0001]:9/x", Url("http", "::1", 9, "/x")),
        ("http://my_service:8080", Url("http", "my_service", 8080, "")),
    ],
)
def test_a_url_is_scheme_host_port_and_path(text, url):
    assert parse_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "crm.test",
        "ftp://crm.test",
        "https://",
        "https:///x",
        "https:x",
        "https:",
        "https://user:pw@crm.test",
        "https://@crm.test",
        "https://crm.test?x=1",
        "https://crm.test/?",
        "https://crm.test#x",
        "https://crm.test/a b",
        "https://crm.test/{tenant}",
        "https://crm.test/a/../b",
        "https://crm.test/a//b",
        "https://crm.test\\@evil.test",
        "https://crm.test:99999",
        "https://crm.test:port",
        "https://crm..test",
        "https://-crm.test",
        "https://crm-.test",
        "https://cr%6d.test",
        "https://crmé.test",
        "https://0x7f000001",
        "https://2130706433",
        "https://127.1",
        "https://0177.0.0.1",
        "https://1.2.3.4.5",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://" + "a" * 64 + ".test",
        "https://" + "a." * 130 + "test",
        "https://crm.test\n",
        "https://crm.test\t/x",
    ],
)
def test_what_is_no_address_of_a_backend(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_url(text)


@pytest.mark.parametrize(("text", "said"), [("10.0.0.1/8", "write 10.0.0.0/8"), ("crm.test", "is not a network")])
def test_what_is_no_network(text, said):
    with pytest.raises(ValueError, match=said):
        parse_network(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("https://h.test", ""),
        ("https://h.test/", ""),
        ("https://h.test/mcp", "/mcp"),
        ("https://h.test/a/mcp/", "/a/mcp/"),
    ],
)
def test_a_slash_at_the_end_of_an_endpoint_counts(text, path):
    url = parse_endpoint(text)
    assert url.path == path
    assert parse_endpoint(str(url)) == url
    assert not parse_url(text).path.endswith("/")


@pytest.mark.parametrize("text", ["https://h.test/mcp//", "https://h.test//", "https://h.test/mcp?key=x", "h.test/mcp"])
def test_what_is_no_endpoint(text):
    with pytest.raises(ValueError, match="must"):
        parse_endpoint(text)
