import pytest

from redaction.profiles import kinds_of
from redaction.scanner import Scanner

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
