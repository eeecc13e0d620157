import re

import pytest

from rules.mcp.templates import collide, exactly, fitting
from rules.schema import Contract


def fits(template, uri):
    return not Contract(fitting(template)).check({"uri": uri})


@pytest.mark.parametrize(
    ("template", "good", "bad"),
    [
        (
            "repo://{owner}/{repo}",
            ["repo://acme/site", "repo://a-b/c.d", "repo://acme/%E4%B8%96", "repo://acme/世"],
            [
                "repo://acme",
                "repo://acme/",
                "repo:///site",
                "repo://acme/site/x",
                "repo://acme/site?x",
                "Repo://acme/site",
                "repo://acme/a b",
                "repo://acme/..",
                "repo://acme/%2e%2E",
                "repo://acme/a%2fb",
                "repo://acme/a%5Cb",
                "repo://acme/%61dmin",
                "repo://acme/%2Eenv",
                "repo://acme/a%00",
                "repo://acme/a\\b",
                "repo://acme/%",
                "repo://acme/{repo}",
                'repo://acme/"a',
                "repo://acme/%zz",
                "repo://acme/site\n",
                "repo://acme/site\0",
                "xrepo://acme/site",
            ],
        ),
        (
            "file:///{+path}",
            ["file:///a", "file:///a/b/c.txt", "file:///a?b=c#d", "file:///.hidden", "file:///a..b"],
            ["file:///", "file:///../etc", "file:///a/../b", "file:///a/..", "file:///a/%2e./b", "file:///a/./b", "x"],
        ),
        ("doc://x{#part}", ["doc://x", "doc://x#a", "doc://x#a/b"], ["doc://x#", "doc://y"]),
        ("doc://x{.kind}", ["doc://x", "doc://x.pdf"], ["doc://x.", "doc://x.a/b"]),
        ("doc://x{/a,b}", ["doc://x", "doc://x/1", "doc://x/1/2"], ["doc://x/", "doc://x/1/2/3", "doc://x/.."]),
        ("doc://x{;a}", ["doc://x", "doc://x;a=1"], ["doc://x;b=1"]),
        (
            "doc://x{?q,page}",
            ["doc://x", "doc://x?q=1", "doc://x?q=1&page=2", "doc://x?page=2", "doc://x?q="],
            ["doc://x?", "doc://x?z=1", "doc://x?q=1&page=2&q=3", "doc://x?q=1#f"],
        ),
        ("doc://x?a=b{&q}", ["doc://x?a=b", "doc://x?a=b&q=1"], ["doc://x?a=b&z=1", "doc://x?q=1"]),
        ("map://{x,y}", ["map://1,2", "map://1"], ["map://1/2", "map://"]),
        ("m.c://{a}", ["m.c://x"], ["mxc://x"]),
        ("git://working-directory", ["git://working-directory"], ["git://working-directory/", "git://x", "", "git:"]),
    ],
)
def test_a_uri_fits_or_it_does_not(template, good, bad):
    assert [uri for uri in good if not fits(template, uri)] == []
    assert [uri for uri in bad if fits(template, uri)] == []


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("repo://{owner*}", "level 4"),
        ("repo://{owner:3}", "level 4"),
        ("repo://{}", "names no variable"),
        ("repo://{a b}", "names no variable"),
        ("repo://{=a}", "names no variable"),
        ("repo://{a", "braces"),
        ("repo://{a}/}", "braces"),
        ("repo://{{a}}", "braces"),
        ("repo://{a}/b c", "character"),
        ("repo://../{a}", "segment"),
        ("repo://x/%2f/{a}", "encoded slash"),
        ("".join(f"{{a{one}}}" for one in range(33)), "at most 32"),
    ],
)
def test_what_is_no_simple_template_is_refused(template, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        fitting(template)


def test_a_resource_with_one_uri_has_only_that():
    contract = Contract(exactly("repo://readme"))
    assert contract.check({"uri": "repo://readme"}) == ()
    assert contract.check({"uri": "repo://readme/"})
    assert contract.check({})
    assert contract.check({"uri": "repo://readme", "x": 1})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a://{x}", "a://{y}", True),
        ("a://{x}", "b://{x}", False),
        ("a://{x}", "a://{x}/{y}", False),
        ("a://{+x}", "a://{x}/{y}", True),
        ("a://{+x}", "a://{x}", True),
        ("a://{x}/{y}", "a://{x}/new/{z}", False),
        ("a://logs/{x}", "a://{dir}/{x}", True),
        ("a://logs/{x}", "a://docs/{x}", False),
        ("file:///{+p}", "file:///logs/{name}.txt", True),
        ("a://x{?q}", "a://x{?z}", True),
        ("a://{x}.json", "a://{x}.yaml", False),
    ],
)
def test_two_templates_that_one_uri_fits_cannot_be_told_apart(one, other, same):
    assert collide(one, other) is same
    assert collide(other, one) is same
