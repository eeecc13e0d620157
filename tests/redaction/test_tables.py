"""Tables within texts: the heads of columns and the names in rows."""

import json

import pytest

from redaction.keys import Keys
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from redaction.tables import LONGEST_LINE, Tables
from tests.redaction.hostile import seconds

STANDARD = Scanner(kinds_of("standard"))

PSQL = """\
 id | first_name | last_name |    dob
----+------------+-----------+------------
  7 | Béla       | de Souza  | 1985-02-11
(1 row)
"""
MYSQL = """\
+----+---------+-----------+
| id | surname | ssn       |
+----+---------+-----------+
|  7 | Menon   | 512839947 |
+----+---------+-----------+
"""
DUCKDB = """\
┌────────────┬────────────┐
│ first_name │    dob     │
│  varchar   │    date    │
├────────────┼────────────┤
│ Ana        │ 1985-02-11 │
└────────────┴────────────┘
"""
PANDAS = """\
   id first_name last_name          street            email       phone  amount
0   1     Béla A  de Souza  12 High Street  ana@example.org  4155550132   12.50
1   2         Bo      Berg    High Road 44   bo@example.com  4155550133    3.00

[2 rows x 7 columns]
"""
HTML = (
    "<table><thead><tr><th>Name</th><th>E-mail</th><th>Room</th></tr></thead>\n"
    "<tr><td><b>Jörg O&#39;Neil</b></td><td>x</td><td>204</td></tr></table><table><tr><td>Ana Bo</td></tr></table>"
)
CASES = {
    PSQL: PSQL.replace("Béla", "<PERSON>").replace("de Souza", "<PERSON>").replace("1985-02-11", "<DATE_OF_BIRTH>"),
    MYSQL: MYSQL.replace("Menon", "<PERSON>").replace("512839947", "<US_SSN>"),
    PANDAS: (
        "   id first_name last_name          street            email       phone  amount\n"
        "0   1     <PERSON>  <PERSON>  <STREET_ADDRESS>  <EMAIL_ADDRESS>  <PHONE_NUMBER>   12.50\n"
        "1   2         <PERSON>      <PERSON>    <STREET_ADDRESS>   <EMAIL_ADDRESS>  <PHONE_NUMBER>    3.00\n"
        "\n[2 rows x 7 columns]\n"
    ),
    "| Surname | Street |\n|---|---|\n| Silva | 12 High Street |\n| Bo | High Street 12 |\n": (
        "| Surname | Street |\n|---|---|\n| <PERSON> | <STREET_ADDRESS> |\n| <PERSON> | <STREET_ADDRESS> |\n"
    ),
    "Surname\tStreet\nSilva\t12 High Street\n": "Surname\tStreet\n<PERSON>\t<STREET_ADDRESS>\n",
    "| Surname | Silva |\n| Street | 12 High Street |\n": "| Surname | <PERSON> |\n| Street | <STREET_ADDRESS> |\n",
    DUCKDB: DUCKDB.replace("Ana", "<PERSON>").replace("1985-02-11", "<DATE_OF_BIRTH>"),
    HTML: HTML.replace("Jörg O&#39;Neil", "<PERSON>"),
    'id,first_name,zip\n7,Ana,85025\n8,"O, Neil",\n\n9,Bo,1': (
        'id,first_name,zip\n7,<PERSON>,<ZIP_CODE>\n8,"<PERSON>",\n\n9,Bo,1'
    ),
    "last_name;n\r\nSilva;1\r\n": "last_name;n\r\n<PERSON>;1\r\n",
    "Found:\n\ndob,n\n1998-12-02,1\n\nzip,n\n85025,1": "Found:\n\ndob,n\n<DATE_OF_BIRTH>,1\n\nzip,n\n<ZIP_CODE>,1",
    "n\tdob\n1\t1998-12-02\n": "n\tdob\n1\t<DATE_OF_BIRTH>\n",
    "id, first name, zip\n7, Ana, 85025\n": "id, first name, zip\n7, <PERSON>, <ZIP_CODE>\n",
    "| **Name** | Email | Room |\n|:--|:-:|--|\n| Ana Silva | x | 204 |\n": (
        "| **Name** | Email | Room |\n|:--|:-:|--|\n| <PERSON> | x | 204 |\n"
    ),
    "FIRST NAME   EMAIL   SINCE\nAna          x       2024-01-02\n": (
        "FIRST NAME   EMAIL   SINCE\n<PERSON>          x       2024-01-02\n"
    ),
    "| Field | Value |\n|---|---|\n| First name | Ana |\n| Last name | Bo |\n| Plan | Gold |\n": (
        "| Field | Value |\n|---|---|\n| First name | <PERSON> |\n| Last name | <PERSON> |\n| Plan | Gold |\n"
    ),
    "| Surname | Silva |\n|---|---|\n| DOB | 1980-01-02 |\n": (
        "| Surname | <PERSON> |\n|---|---|\n| DOB | <DATE_OF_BIRTH> |\n"
    ),
    "+--+--+\n| DOB | 1980-01-02 |\n+--+--+\n": "+--+--+\n| DOB | <DATE_OF_BIRTH> |\n+--+--+\n",
    "Surname\tSilva\nPostcode\tSW1A 1AA\nTotal\t44.10\n": "Surname\t<PERSON>\nPostcode\t<ZIP_CODE>\nTotal\t44.10\n",
    "-[ RECORD 1 ]--\nfirst_name | Ana\nn          | 9\n": "-[ RECORD 1 ]--\nfirst_name | <PERSON>\nn          | 9\n",
}
KEPT = [
    "Please tell us your first name, last name, zip,\nand then, if you can, the date.\n",
    "We need: street, zip, city\nOr else, no, order\n",
    "def create(first_name, last_name, zip):\n    return User(first_name, last_name, zip)\n",
    "SELECT id, first_name, last_name\nFROM users, accounts, x\n",
    "| first_name | varchar(40) | not null |\n| last_name  | varchar(40) | not null |\n",
    "| Parameter | Type | Says |\n|---|---|---|\n| first_name | text | First Name |\n| phone | text | 15 digits |\n",
    "| Name | Price | Rating |\n|---|---|---|\n| Garden Mouse | 12.99 | 4.5 |\n",
    "NAME   CLASS   HOSTS     ADDRESS        PORTS\nshop   nginx   x.test    203.0.113.10   80, 443\n",
    "First name | Last name\n",
    "| First name | Last name |\n| Street | Zip |\n",
    "| Street | Address 1 |\n|---|---|\n| Zip | Address 2 |\n",
    "  name  version\n0    x    1.3.0\n",
    "  surname  zip\nsee the table above, and so on\n",
    "    first_name last_name\n    return Ana, Silva\n",
    "<table><tr><th>Street</th><td>",
]


@pytest.mark.parametrize(("before", "after"), CASES.items())
def test_what_a_head_or_the_name_in_a_row_gives_away(before: str, after: str) -> None:
    assert STANDARD.clean(before.encode(), "text/plain", None).value.decode() == after


@pytest.mark.parametrize(("before", "after"), CASES.items())
def test_it_is_the_same_in_a_string_of_json(before: str, after: str) -> None:
    for ascii_only in (False, True):
        text = json.dumps({"text": [f"{before}\nÄ", 1]}, ensure_ascii=ascii_only)
        assert json.loads(STANDARD.clean_json(text).value) == {"text": [f"{after}\nÄ", 1]}


@pytest.mark.parametrize("text", KEPT)
def test_what_stays(text: str) -> None:
    assert STANDARD.clean(text.encode(), "text/plain", None).value.decode() == text
    assert STANDARD.clean_json(json.dumps([text])).value == json.dumps([text])


def test_html_is_read_as_what_it_is() -> None:
    assert STANDARD.clean(HTML.encode(), "text/html", None).value.decode() == HTML.replace(
        "Jörg O&#39;Neil", "&lt;PERSON&gt;"
    )


def test_a_line_that_is_too_long_is_no_head() -> None:
    text = f"first_name,{'x' * LONGEST_LINE}\nAna,1\n"
    assert STANDARD.clean(text.encode(), "text/plain", None).value.decode() == text


@pytest.mark.parametrize(
    "piece",
    [
        "first_name,", "first_name,b\n", "first_name|", "first_name  ", "a\tdob\n", "<tr><th>dob</th>",
        "<tr><th>dob</td>", "dob</th>", "|---\ndob|\n", "dob,b\n1,2\n\n", '"dob",', "<tr>dob</th>",
        "<td>dob</td><td>1</td><tr>",
        " dob  b\n", " dob\n1 2\n", "  dob ", " dob  a\n0   1  2\n",
    ],
)  # fmt: skip
def test_no_text_stalls_it(piece: str) -> None:
    tables = Tables(Keys(kinds_of("standard")))
    data = (piece * (30_000 // len(piece))).encode()
    assert seconds(lambda: tables.find(data, str, 0, []), 0.5) <= 0.5
