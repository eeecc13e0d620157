"""Writes `redaction/dialling.json` from libphonenumber's metadata: `python -m tests.redaction.phone_ranges`.

For each calling code: which national significant numbers are in use, as one expression (RE2 syntax), and how many
digits they have. It needs the package `phonenumbers`, which comes with Presidio.


"""

import json
import re
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "redaction" / "dialling.json"
TYPES = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number", "pager", "uan",
    "voicemail",
)  # fmt: skip


def content() -> dict[str, Any]:
    """What the file holds: the version of the metadata, and the expressions and lengths by calling code."""
    import phonenumbers

    ranges = {}
    for code, names in sorted((str(code), names) for code, names in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        regions = [_region(code, name) for name in names]
        lengths = {length for region in regions for length in region.general_desc.possible_length}
        patterns = {pattern for region in regions for pattern in _patterns(region)}
        ranges[code] = ["|".join(sorted(patterns)), sorted(lengths)]
    return {"metadata": phonenumbers.__version__, "ranges": ranges}


def _region(code: str, name: str) -> Any:
    from phonenumbers import PhoneMetadata

    nowhere = name == "001"
    return PhoneMetadata.metadata_for_nongeo_region(int(code)) if nowhere else PhoneMetadata.metadata_for_region(name)


def _patterns(region: Any) -> set[str]:
    kinds = (getattr(region, name) for name in TYPES)
    return {re.sub(r"\s", "", kind.national_number_pattern) for kind in kinds if kind and kind.national_number_pattern}


def text() -> str:
    """The file, one calling code a line."""
    held = content()
    lines = ",\n".join(f"{json.dumps(code)}: {json.dumps(pattern)}" for code, pattern in held["ranges"].items())
    return f'{{"metadata": {json.dumps(held["metadata"])}, "ranges": {{\n{lines}\n}}}}\n'


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
