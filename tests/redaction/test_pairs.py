"""Names in texts that say what stands behind them."""

import json
import time

import pytest

from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from redaction.streams import stage

STANDARD = Scanner(kinds_of("standard"))

CASES = {
    "First name: Ana\nLast name: O’Neil\r\nZip: 85025": "First name: <PERSON>\nLast name: <PERSON>\r\nZip: <ZIP_CODE>",
    'first_name: Ana\nlast_name: "van der Berg"\ncvv: 12\n': 'first_name: <PERSON>\nlast_name: "<PERSON>"\ncvv: 12\n',
    "- **Full name:** Ana Silva\n- **Address**: 1 High St, Leeds.": (
        "- **Full name:** <PERSON>\n- **Address**: <STREET_ADDRESS>."
    ),
    "see https://x.example/?first_name=Ana+Mar%C3%ADa&zip=85025#a": (
        "see https://x.example/?first_name=<PERSON>&zip=<ZIP_CODE>#a"
    ),
    "href='/x?a=1&amp;last_name=Silva'": "href='/x?a=1&amp;last_name=<PERSON>'",
    "<tr><th>Nachname</th><td class='a'>Köhler</td></tr>": "<tr><th>Nachname</th><td class='a'><PERSON></td></tr>",
    "<dl><dt>Postcode:</dt>\n <dd>SW1A 1AA</dd></dl>": "<dl><dt>Postcode:</dt>\n <dd><ZIP_CODE></dd></dl>",
    "<b>First name:</b> Ana<br>": "<b>First name:</b> <PERSON><br>",
    "got {'first_name': 'Ana', 'id': 7}": "got {'first_name': '<PERSON>', 'id': 7}",
    'level=info last_name="Silva" zip=85025 n=1': 'level=info last_name="<PERSON>" zip=<ZIP_CODE> n=1',
    "Array\n(\n    [first_name] => Ana\n    [zip] => 85025\n)\n": (
        "Array\n(\n    [first_name] => <PERSON>\n    [zip] => <ZIP_CODE>\n)\n"
    ),
    '{"id"=>7, "first_name"=>"Ana", :zip => "85025"}': '{"id"=>7, "first_name"=>"<PERSON>", :zip => "<ZIP_CODE>"}',
    "First name: Ana, Surname: Bo; Customer name: Ana Bo | x": (
        "First name: <PERSON>, Surname: <PERSON>; Customer name: <PERSON> | x"
    ),
    "Prénom : José\nAnschrift: Hauptstraße 5, 10115 Berlin": "Prénom : <PERSON>\nAnschrift: <STREET_ADDRESS>",
    "BEGIN:VCARD\nN:Silva;Ana;;;\nFN:Ana Silva\nADR;TYPE=home:;;1 High St;Leeds;;LS1 4AP;UK\nEND:VCARD": (
        "BEGIN:VCARD\nN:<PERSON>\nFN:<PERSON>\nADR;TYPE=home:<STREET_ADDRESS>\nEND:VCARD"
    ),
}
KEPT = [
    "first_name: str\nlast_name = models.CharField(max_length=3)\nfirstName: String;\nsurname: Text\n",
    "first_name: first_name, first_name=first_name, full_name: Optional[str], full_name = os.path.join(a, b)",
    "last_name: CharField\nfull_name: varchar\nmember_name: List\nfname: main.py\nf_name: main",
    "zip: app.zip\nzip = zip(a, b)\naddress: 10.0.0.1:80\nAddress: 0x7ffd5e8\nstreet: Main",
    "users.map(firstName => Foo); x => x.LastName => Ana; case surname => Berg\nlast_name => Ana",
    "host_name: Ana\nfile name: Ana\nhostname=Ana\nname: Left Pad",
    "phone: required\npin: 4096\nmobile = true",
    "Enter your first name: ",
    "<th>First name</th><th>Last name</th>",
    "FN: 12\nN:3;4\nADR\n",
]


@pytest.mark.parametrize(("before", "after"), CASES.items())
def test_what_a_name_gives_away(before: str, after: str) -> None:
    assert STANDARD.clean(before.encode(), "text/plain", None).value.decode() == after


@pytest.mark.parametrize(("before", "after"), CASES.items())
def test_it_is_the_same_in_a_string_of_json(before: str, after: str) -> None:
    for ascii_only in (False, True):
        text = json.dumps({"text": [before, 1]}, ensure_ascii=ascii_only)
        assert json.loads(STANDARD.clean_json(text).value) == {"text": [after, 1]}


@pytest.mark.parametrize("text", KEPT)
def test_what_stays(text: str) -> None:
    assert STANDARD.clean(text.encode(), "text/plain", None).value.decode() == text
    assert STANDARD.clean_json(json.dumps([text])).value == json.dumps([text])


@pytest.mark.parametrize("text", CASES)
def test_where_a_stream_is_cut_does_not_matter(text: str) -> None:
    body = ("and so they said " * 20 + "\n" + text + "\n" + "and so they said " * 20).encode()
    whole = STANDARD.clean(body, "text/plain", None).value
    for at in range(300, len(body) - 300, 7):
        way = stage(STANDARD, "text/plain", None)
        assert b"".join([*way.feed(body[:at]), *way.feed(body[at:]), *way.close()]) == whole, at


@pytest.mark.parametrize(
    "piece",
    [
        "First name: ",
        "first_name=",
        "?zip=",
        "<th>First name</th>",
        "first name: Ana, ",
        "cvv: 123\n",
        "dob ",
        "zip'\"] ",
        "名: ",
    ],
)
def test_many_names_cost_no_more_than_their_length(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    STANDARD.find(text[:1000])
    began = time.process_time()
    STANDARD.find(text)
    assert time.process_time() - began < 1
