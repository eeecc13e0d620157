"""Text that does not look like what it says to a program: characters without width in a value, or twins of its own.

A reader sees `ana@example.org` either way, and so does a model. Characters that show nothing are passed over, and those
of full width (Unicode, Halfwidth and Fullwidth Forms) and of the mathematical alphabets are read as the letters, digits
and signs that they stand for, spaces that do not break a line as spaces, and hyphens and dashes as `-`. Letters of
other scripts that merely look alike are left: they make words of their own.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from redaction.unwrap import Escaping

_Ranges = Iterable[tuple[int, int]]
# Soft hyphen, joiners, marks of direction, invisible operators, selectors of variants, tags: what the Unicode database
# calls Default_Ignorable_Code_Point, as far as it stands in texts. And control characters, which part no words and
# begin no sequence of a terminal: many programs leave them out, so that UTF-16 that is read as something else is text
# to them. But not U+0001, which stands for a quotation mark while JSON is read (`unwrap.HIDDEN`).
_NOTHING: Final = (
    *((0x00, 0x00), (0x02, 0x07), (0x0E, 0x1A), (0x1C, 0x1F), (0x7F, 0x7F)),
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E)),
    *((0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xE0000, 0xE007F)),
)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2212"
_TWINS: Final = ((0xFF01, 0xFF5E), (0x1D400, 0x1D7FF))
# Spaces and dashes between groups of digits. They stand in ordinary text, so three groups are what asks for a look.
_BETWEEN: Final = (
    *((0xA0, 0xA0), (0x2000, 0x200A), (0x2010, 0x2013), (0x202F, 0x202F), (0x205F, 0x205F), (0x2212, 0x2212)),
    (0x3000, 0x3000),
)


def _python(ranges: _Ranges) -> str:
    return "".join(f"\\U{first:08X}-\\U{last:08X}" for first, last in ranges)


def _re2(ranges: _Ranges) -> str:
    return "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in ranges)


def _plain(shown: str) -> str:
    """The character that a text shows where this stands, which is what comes last in it."""
    plain = "-" if shown[-1] in _DASHES else unicodedata.normalize("NFKC", shown[-1])
    return plain if len(plain) == 1 and plain.isascii() else shown[-1]


_GROUPS: Final = r"[0-9]{{2}}(?:[{0}][0-9]{{2,8}}[{0} \-]|[ \-][0-9]{{2,8}}[{0}])[0-9]{{2}}"
GATE: Final = f"[{_re2(_NOTHING + _TWINS)}]|{_GROUPS.format(_re2(_BETWEEN))}"
"""In RE2's syntax; text without a match is not disguised."""

SIGN: Final = re.compile(f"[{_python(_NOTHING + _TWINS)}]|{_GROUPS.format(_python(_BETWEEN))}")
DISGUISE: Final = Escaping(
    "",
    # Only from where what shows nothing begins: else a long run without an end would be tried from each of its places.
    re.compile(
        f"(?<![{_python(_NOTHING)}])(?:[{_python(_NOTHING)}]*+[{_python(_TWINS + _BETWEEN)}]|[{_python(_NOTHING)}]++.)",
        re.DOTALL,
    ),
    _plain,
    str,
)
"""As if each character that shows had been escaped together with what shows nothing before it."""
