import json

import pytest

from rules.openapi import Document
from rules.openapi.servers import own, server


def found(given="", **said):
    return server(Document("a.json", json.dumps(said).encode()), "shop", given)


VARIABLES = {"host": {"default": "a.test"}, "port": {"enum": [8443]}, "v": {"default": "x"}}


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ({"servers": [{"url": "https://a.test/v1/"}]}, "https://a.test/v1"),
        ({"servers": [{"url": "http://a.test"}, {"url": "https://b.test"}]}, "https://b.test"),
        ({"servers": [{"url": "/v1"}, {"url": "https://b.test"}]}, "https://b.test"),
        ({"servers": [{"url": "https://{host}:{port}/{v}", "variables": VARIABLES}]}, "https://a.test:8443/x"),
        ({"host": "a.test", "basePath": "/v2", "schemes": ["http", "https"]}, "https://a.test/v2"),
        ({"host": "a.test:8080", "schemes": ["http"]}, "http://a.test:8080"),
        ({"host": "a.test"}, "https://a.test"),
    ],
)
def test_the_documents_server(said, url):
    at = found(**said)
    assert (at.url, at.is_placeholder, at.warnings) == (url, False, [])


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"servers": []},
        {"servers": [{"url": ""}]},
        {"servers": [{"url": "https://{tenant}.a.test"}]},
        {"servers": [{"url": "ftp://a.test"}, 7, {"url": ["x"]}]},
        {"servers": [{"url": "https://user:pw@a.test"}]},
        {"servers": "https://a.test"},
        {"host": 7},
    ],
)
def test_without_a_usable_server_the_address_is_one_that_never_answers(said):
    at = found(**said)
    assert (at.url, at.is_placeholder) == ("https://shop.invalid", True)
    assert "--url" in at.warnings[0]


@pytest.mark.parametrize("said", [{"servers": [{"url": "/v1/"}]}, {"basePath": "/v1"}])
def test_a_relative_server_keeps_its_path(said):
    assert found(**said).url == "https://shop.invalid/v1"


def test_the_operators_word_counts_and_the_others_are_told():
    at = found("http://127.0.0.1:9/api", servers=[{"url": "https://a.test"}])
    assert (at.url, at.others, at.warnings) == ("http://127.0.0.1:9/api", ["https://a.test"], [])
    with pytest.raises(ValueError, match="must begin with http"):
        found("shop.test")


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://127.0.0.1:9", ["127.0.0.1"]),
        ("http://localhost:9", ["127.0.0.1", "::1"]),
        ("http://[::1]:9", ["::1"]),
        ("http://10.1.2.3", ["10.1.2.3"]),
        ("http://169.254.169.254", ["169.254.169.254"]),
        ("https://shop.test", []),
        ("https://9.9.9.9", []),
    ],
)
def test_a_private_address_of_a_document_is_told_and_never_written_under_addresses(url, addresses):
    assert (found(url).addresses, found(url).warnings) == (addresses, [])
    at = found(servers=[{"url": url}])
    assert (at.addresses, len(at.warnings)) == ([], bool(addresses))


def test_servers_of_an_operation():
    assert own([{"url": "https://b.test"}, 7]) == ["https://b.test", ""]
    assert own(None) == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "224.0.0.1", "240.0.0.1", "[::]"])
def test_an_address_where_no_api_is_comes_from_no_document(host):
    at = found(servers=[{"url": f"http://{host}/latest"}])
    assert at.is_placeholder
    assert at.url.endswith(".invalid")
    assert found(servers=[{"url": f"http://{host}"}, {"url": "https://a.example"}]).url == "https://a.example"
