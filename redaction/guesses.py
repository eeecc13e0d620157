"""Rules that tell a secret from what else stands behind `token =` or `password:`: templates, calls, names, examples."""

import base64
import binascii
import re

from re2 import escape

from redaction.entropy import entropy
from redaction.linear import ANYWHERE, matcher

# Read from a variable, a template or a place-holder: `${TOKEN}`, `{{ token }}`, `<your key>`, `%(token)s`, `$TOKEN`.
# Two expressions, for in one that is bound to the beginning in part, each place of a text is tried.
_TEMPLATE = re.compile(r"\$[{(]|\{\{|\}\}|%[({%s]|\[\[")
_TEMPLATE_BEGINS = re.compile(r"\{|<|\$[A-Za-z_]|%[A-Z_]+%$|@[A-Za-z]|#\{|!(?:ref|env|secret)")
# `os.getenv(`, `process.env.TOKEN`, `settings.password`, `get_token()`, `self->key`, `user['password']`.
_CODE = re.compile(
    r"^[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)+[;,]?$|^[A-Za-z_][\w.]*[(\[]|^(?:self|this|req|env|process)\."
)
# No name of a program's is like this, also where dots stand between several: twenty letters with figures among them.
_NO_NAME = re.compile(r"(?:^|\.)(?=(?:[A-Za-z]*\d){3})[A-Za-z0-9]{20,}(?:\.|$)")
_WORDS = (
    "example", "placeholder", "changeme", "change_me", "your_", "your-", "yourpass", "redacted", "dummy", "xxxx",
    "****", "....", "<password", "undefined", "fixme", "todo",
)  # fmt: skip
_WORD = matcher("|".join(map(escape, _WORDS)), capture=False)
_NO_VALUE = (
    "true false null none nil yes no on off string str bytes int integer number boolean bool optional required any "
    "hidden secret password passwd pass pwd token key value text field default empty input type object unknown "
    "enabled disabled basic bearer oauth ldap plain username user login name email confirm confirmation reset forgot "
    "admin_password user_password new_password old_password"
)
_NO_VALUES = frozenset(_NO_VALUE.split())
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ENDING = "pem|key|crt|json|ya?ml|txt|py|js|ts|go|java|md|html|p12|jks"
_PATH = re.compile(rf"(?:[A-Za-z]:)?[./~\\]*(?:[\w.\-]+[/\\]){{2,}}|[\w\-./]+\.(?:{_ENDING})$")
_VERSION = re.compile(r"^v?\d+(?:[.\-_:]\d+)+(?:[.\-+][A-Za-z0-9.]+)?$|^\d{4}-\d\d-\d\d")
_WORDY = re.compile(r"^[A-Za-z]+(?:[-_.:][A-Za-z]+)*\d{0,2}$")
_WORDS_WITHIN = re.compile(r"[A-Z]?[a-z]{3,}")
_DIGIT = re.compile(r"\d")
_RUN = re.compile(r"^(?:[a-z]{20,}|[A-Z]{20,})$")  # longer than words are
_SHORT = 16
_LONG = 24  # no time, and no number that people count with, has so many figures

# What everybody may know: the rest of an Amazon Resource Name, a certificate or public key in base64, a fingerprint.
_PUBLIC = re.compile(r"[a-z]{2}(?:-[a-z]{3,10}){1,2}-\d:\d{12}:|LS0tLS1CRUdJTiB(?:DRVJU|QVUJM)|SHA256:")
_ASSIGNED = re.compile(r"[A-Za-z_]+=[^=]")
# The folder that PWD names.
_FOLDER = re.compile(r"/(?:home|usr|var|etc|opt|root|run|tmp|srv|mnt|app|workspace|Users|data)(?:/[\w.@+\-]+)*/?")


def opaque(value: str) -> int:
    """What looks made by chance: at least ten characters, letters with digits, no path, version, word or template."""
    value_is_none = (
        len(value) < 10
        or _placeholder(value)
        or _PUBLIC.match(value)
        or _VERSION.search(value)
        or ((_PATH.match(value) or "://" in value) and entropy(value) < 4.2)
        or (_WORDY.search(value) and not _RUN.search(value))
    )
    if value_is_none or not (_DIGIT.search(value) or _RUN.search(value)) or entropy(value) < _least(value):
        return 0
    return len(value)


def _least(value: str) -> float:
    return 2.5 if len(value) < _SHORT else 3.0


def random(value: str) -> int:
    """The same, longer and surer, for where only a word stands before and no sign that it is assigned."""
    if len(value) < _SHORT or not (re.search("[A-Za-z]", value) or len(value) >= _LONG):
        return 0
    return opaque(value)


def unassigned(value: str) -> int:
    """The same, but no `ACCESS_KEY=...` behind `AWS_SECRET_`: what stands behind its equals sign is found by itself."""
    return 0 if _ASSIGNED.match(value) else random(value)


def password(value: str) -> int:
    """What somebody chose: no template, no piece of code, no word that names the field instead of filling it."""
    if (
        _placeholder(value)
        or _FOLDER.fullmatch(value)
        or value.lower().strip("\"'`:;,.") in _NO_VALUES
        or len(set(value)) < 2
    ):
        return 0
    return len(value)


def password_in_address(value: str) -> int:
    """The same where a whole address may be a template: braces stand for what is filled in."""
    return 0 if _is_template(value) or value[0] in "{$<%*[" or not value.strip("*xX.") else len(value)


def odd_password(value: str) -> int:
    """A password that holds more than letters, for where prose may stand as well."""
    return password(value) if re.search(r"[^A-Za-z.,:;!?'’\-]", value.rstrip(".,:;!?)")) else 0


def wordless(value: str) -> int:
    """What is no name of a program's, as `test_decodeEachOfTheseLines2`: less than half of it stands in words."""
    return 0 if 2 * sum(map(len, _WORDS_WITHIN.findall(value.partition("_")[2]))) > len(value) else len(value)


def basic(value: str) -> int:
    """Credentials of HTTP Basic authentication (RFC 7617): base64 of a name, a colon and a password."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (ValueError, binascii.Error):
        return 0
    return len(value) if ":" in plain.strip() and plain.isprintable() else 0


def _is_template(value: str) -> bool:
    return bool(_TEMPLATE_BEGINS.match(value) or _TEMPLATE.search(value))


def _is_code(value: str) -> bool:
    return bool(_CODE.search(value)) and not _NO_NAME.search(value)


def _holds_a_word(lower: str) -> bool:
    data = lower.encode("utf-8", "replace")
    return _WORD(ANYWHERE, data, 0, len(data))[0][0] >= 0


def _placeholder(value: str) -> bool:
    lower = value.lower()
    return _is_template(value) or _is_code(value) or _holds_a_word(lower)
