"""Text that does not look like what it says to a program: characters without width in a value, or twins of its own.

A reader sees `ana@example.org` either way, and so does a model. Characters that show nothing are passed over, and those
of full width (Unicode, Halfwidth and Fullwidth Forms) and of the mathematical alphabets are read as the letters, digits
and signs that they stand for. Letters of other scripts that merely look alike are left: they make words of their own.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from redaction.unwrap import Escaping

_Ranges = Iterable[tuple[int, int]]
# Soft hyphen, joiners, marks of direction, invisible operators, selectors of variants, tags: what the Unicode database
# calls Default_Ignorable_Code_Point, as far as it stands in texts.
_NOTHING: Final = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E)),
    *((0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xE0000, 0xE007F)),
)
_TWINS: Final = ((0xFF01, 0xFF5E), (0x1D400, 0x1D7FF))


def _python(ranges: _Ranges) -> str:
    return "".join(f"\\U{first:08X}-\\U{last:08X}" for first, last in ranges)


def _re2(ranges: _Ranges) -> str:
    return "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in ranges)


def _plain(shown: str) -> str:
    """The character that a text shows where this stands, which is what comes last in it."""
    plain = unicodedata.normalize("NFKC", shown[-1])
    return plain if len(plain) == 1 and plain.isascii() else shown[-1]


GATE: Final = f"[{_re2(_NOTHING + _TWINS)}]"
"""In RE2's syntax; text without a match is not disguised."""

SIGN: Final = re.compile(f"[{_python(_NOTHING + _TWINS)}]")
DISGUISE: Final = Escaping(
    "",
    # Only from where what shows nothing begins: else a long run without an end would be tried from each of its places.
    re.compile(
        f"(?<![{_python(_NOTHING)}])(?:[{_python(_NOTHING)}]*+[{_python(_TWINS)}]|[{_python(_NOTHING)}]++.)", re.DOTALL
    ),
    _plain,
    str,
)
"""As if each character that shows had been escaped together with what shows nothing before it."""
