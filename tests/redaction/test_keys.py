import pytest

from redaction import keys
from redaction.keys import Family, Keys
from redaction.scanner import Scanner

ALL = Scanner(keys.kinds())
EXAMPLES = [(family, text) for family in keys.families() for text in family.yes]
OTHERS = [(family, text) for family in keys.families() for text in family.no]


@pytest.mark.parametrize(("family", "text"), EXAMPLES)
def test_each_family_finds_its_examples(family: Family, text: str) -> None:
    assert family.kind in ALL.clean_json(text).counts


@pytest.mark.parametrize(("family", "text"), OTHERS)
def test_and_leaves_the_others(family: Family, text: str) -> None:
    assert ALL.clean_json(text).counts[family.kind] == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("first_name", "first name"),
        ("firstName", "first name"),
        ("First-Name", "first name"),
        ("DOB", "dob"),
        ("ZIPCode", "zip code"),
        ("address1", "address 1"),
        ("прізвище", "прізвище"),
        ("a" * 101, ""),
        ("", ""),
    ],
)
def test_a_name_is_taken_apart(name: str, words: str) -> None:
    assert keys.words_of(name) == words


SPELLINGS = {
    "PERSON": "f_name nameFirst last_nm middleInitial vollständigerName kontoinhaber nom_famille nomUsuel "
    "apellidoPaterno nombre_titular nomeMae ultimo_nome nominativo volledige-naam imie_nazwisko shimei フリガナ soyad",
    "DATE_OF_BIRTH": "bday d_o_b dt_birth gebDatum geboren_am né_le fec_nac dataNasc nato_il dogum_tarihi seinengappi",
    "STREET_ADDRESS": "addrLine1 strasse_hausnr lieferadresse adressePostale direccion_envio enderecoEntrega rua "
    "indirizzo_residenza postadres adresZamieszkania juusho",
    "ZIP_CODE": "postal cod_postal yubinBango postnr pinCode",
    "CVV": "cvvCode cvc_number codigoSeguridad codice_sicurezza beveiligingscode cardCvd",
    "PHONE_NUMBER": "contactNo tel msisdn tel_portable telefonoFijo telemóvel recapito mobiel numer_telefonu denwa",
}


@pytest.mark.parametrize(("kind", "names"), SPELLINGS.items())
def test_names_in_other_languages_and_spellings(kind: str, names: str) -> None:
    told = Keys(frozenset({kind}))
    assert [name for name in names.split() if not (role := told.role(name)) or not role.judge] == []


@pytest.mark.parametrize("value", ["main.py", "lib/x.so", "nginx.conf"])
def test_a_file_is_no_person(value: str) -> None:
    text = f'{{"fname": "{value}", "real_name": "{value}"}}'
    assert ALL.clean_json(text).value == text


@pytest.mark.parametrize("name", ["customer_first_name", "firstName2", "FIRST NAME", "guest-first-names"])
def test_a_name_may_say_more_before_and_a_number_behind(name: str) -> None:
    role = Keys(frozenset({"PERSON"})).role(name)
    assert role
    assert role.judge
    assert role.judge.kind == "PERSON"


@pytest.mark.parametrize(
    "name", ["filename", "hostname", "name_server", "first_name_verified", "user_agent", "id", "unzip", "dobby"]
)
def test_other_names_mean_nothing(name: str) -> None:
    assert Keys(keys.kinds()).role(name) is None


def test_only_families_of_the_kinds_asked_for_are_looked_for() -> None:
    assert (
        Scanner(frozenset({"CVV"})).clean_json('{"first_name":"Ana","cvv":"516"}').value
        == '{"first_name":"Ana","cvv":"<CVV>"}'
    )
    assert not Keys(frozenset({"EMAIL_ADDRESS"}))
    assert Keys(frozenset({"CVV"}))


@pytest.mark.parametrize(
    "text",
    [
        '{"first_name":{"S":"Ana"}}',
        '{"zip":{"N":"85025"}}',
        '{"phones":{"SS":["5550293123"]}}',
        '{"address":{"M":{"line1":{"S":"1 High St"}}}}',
        '{"phone":{"$numberLong":"14155550132"}}',
        '{"born":{"integerValue":"1980"}}',
        '{"addresses":[{"formattedValue":"1 High St, Leeds"}]}',
        '{"BillAddr":{"Line1":"12 Ocean Dr."}}',
        '{"legalAddress":{"lineOne":"12 High Street"}}',
        '{"mobiles":[{"areaDialing":"415","dialNumber":"5550132"}]}',
        '{"mobile_phone":{"display_value":"415 555 0132"}}',
    ],
)
def test_a_value_may_stand_under_its_type(text: str) -> None:
    """In DynamoDB, MongoDB, Protocol Buffers and Google's People."""
    assert sum(ALL.clean_json(text).counts.values()) == 1
