import pytest

from redaction.keys import Keys
from redaction.named_text import in_markup
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from tests.redaction.hostile import seconds

STANDARD = Scanner(kinds_of("standard"))
CSV = 'id,first_name,Email,zip,note\r\n1,Ana,ana@example.org,85025,hi\r\n2,"O""Neil, Bo",x,,"a,b"\r\n3,,,\r\n'
CSV_AFTER = (
    'id,first_name,Email,zip,note\r\n1,<PERSON>,<EMAIL_ADDRESS>,<ZIP_CODE>,hi\r\n2,"O""Neil, Bo",x,,"a,b"\r\n3,,,\r\n'
)


def clean(text: str, media_type: str) -> str:
    return STANDARD.clean(text.encode(), media_type, None).value.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (CSV, CSV_AFTER),
        ('last_name,n\n"Silva",1\n', 'last_name,n\n"<PERSON>",1\n'),
        ("name,email\nAna Silva,x\n", "name,email\n<PERSON>,x\n"),
        ("cvv,n\n516,516", "cvv,n\n<CVV>,516"),
        ("name,price\nGarden Mouse,3\n", "name,price\nGarden Mouse,3\n"),
        ("", ""),
        ('"broken,first_name\n"x"y,Ana\n', '"broken,first_name\n"x"y,<PERSON>\n'),
    ],
)
def test_a_table_s_first_row_says_what_the_others_hold(before: str, after: str) -> None:
    assert clean(before, "text/csv") == after


def test_tabs_stand_between_values_too() -> None:
    assert clean("a\tdob\n1\t1998-12-02\n", "text/tab-separated-values") == "a\tdob\n1\t<DATE_OF_BIRTH>\n"


def test_a_form_s_fields_say_what_they_hold() -> None:
    before = "id=7&first_name=Ana+Mar%C3%ADa&cvv=516&card%5Bcvc%5D=0516&q=a%26cvv%3D999"
    after = "id=7&first_name=%3CPERSON%3E&cvv=%3CCVV%3E&card%5Bcvc%5D=%3CCVV%3E&q=a%26cvv%3D%3CCVV%3E"
    assert clean(before, "application/x-www-form-urlencoded") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<c><FirstName>Ana</FirstName><id>7</id></c>", "<c><FirstName>&lt;PERSON&gt;</FirstName><id>7</id></c>"),
        ('<p:cvv xmlns:p="x">516</p:cvv>', '<p:cvv xmlns:p="x">&lt;CVV&gt;</p:cvv>'),
        ('<u dob="1998-12-02" id="3"/>', '<u dob="&lt;DATE_OF_BIRTH&gt;" id="3"/>'),
        ("<u last-name='O&#39;Neil'/>", "<u last-name='&lt;PERSON&gt;'/>"),
        ("<name>left-pad</name>", "<name>left-pad</name>"),
        ("<first_name><b>1</b></first_name>", "<first_name><b>1</b></first_name>"),
    ],
)
def test_elements_and_attributes_say_what_they_hold(before: str, after: str) -> None:
    assert clean(before, "application/xml") == after


@pytest.mark.parametrize("media_type", ["text/csv", "application/xml", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("piece", ['"', "<a ", "<a>", "&a=", ",", "cvv=", '""', "\n", "<cvv>1", 'a="x" '])
def test_hostile_text_is_read_in_bounded_time(media_type: str, piece: str) -> None:
    clean("cvv,b\n" + piece * (50_000 // len(piece)), media_type)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_table_s_first_row_tells_what_stands_between_values(mark: str) -> None:
    rows = f"first_name{mark}note\r\nAna{mark}a, b\r\n".encode()
    done = Scanner(kinds_of("standard")).clean(rows, "text/csv", None).value
    assert done == f"first_name{mark}note\r\n<PERSON>{mark}a, b\r\n".encode()


P, Z = "&lt;PERSON&gt;", "&lt;ZIP_CODE&gt;"
TAGS = {
    "<input name=\"first_name\" value=\"Ana\"><input value='85025' required name='zip'/>": (
        f"<input name=\"first_name\" value=\"{P}\"><input value='{Z}' required name='zip'/>"
    ),
    '<field name="first_name">Ana</field><field name="zip"> 85025 </field>': (
        f'<field name="first_name">{P}</field><field name="zip"> {Z} </field>'
    ),
    '<s:Attribute Name="lastName" F="x">\n<s:AttributeValue t="y">O&apos;Neil</s:AttributeValue>': (
        f'<s:Attribute Name="lastName" F="x">\n<s:AttributeValue t="y">{P}</s:AttributeValue>'
    ),
    '<b itemprop="givenName">Ana</b><meta itemprop="postalCode" content="85025">': (
        f'<b itemprop="givenName">{P}</b><meta itemprop="postalCode" content="{Z}">'
    ),
    '<x name="y"><b key="first_name">Ana</b></x>': f'<x name="y"><b key="first_name">{P}</b></x>',
}


@pytest.mark.parametrize(("before", "after"), TAGS.items())
def test_an_attribute_may_say_what_stands_beside_it_or_in_its_element(before: str, after: str) -> None:
    """As forms, SAML, Solr and microdata have it."""
    for media_type in ("text/html", "application/xml"):
        assert clean(before, media_type) == after


@pytest.mark.parametrize(
    "text",
    [
        '<label id="first_name">First name</label><th id="last_name">Sort by last name</th>',
        '<input name="first_name"><button>Save</button><input name="phone" value="1">',
        '<property name="address" value="127.0.0.1"/><div id="address"><span>Loading</span></div>',
        '<h3 id="last-name">Properties</h3><select name="first_name"><option>Choose</option></select>',
        '<button name="surname">Save</button><input name="color" value="Ana"><string name="title">Ana</string>',
    ],
)
def test_and_what_is_no_value_stays(text: str) -> None:
    assert clean(text, "text/html") == text


@pytest.mark.parametrize(
    "piece", ['<a name="zip">', "<a ", '<a id="zip"', '<a b="c" ', '<a name="zip">1<', "<a name='zip'> "]
)
def test_no_tags_stall_it(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    keys = Keys(kinds_of("standard"))
    assert seconds(lambda: [*in_markup(text, keys)], 0.5) <= 0.5
