"""Fills the `{set:count}` of example texts with random characters, so that no real-looking secret stands in a file."""

import random
import re
import string

SETS = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "lower": string.ascii_lowercase,
    "low": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "digit": string.digits,
    "digit1": "123456789",
    "hex": "0123456789abcdef",
    "b64": string.ascii_letters + string.digits + "+/",
    "url": string.ascii_letters + string.digits + "_",
    "base32": string.ascii_uppercase + "234567",
    "bech32": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    "cut": "",
}
PLACE = re.compile(rf"\{{({'|'.join(SETS)}):(\d{{1,4}})\}}")


def fill(template: str, seed: int = 0) -> str:
    """`template` with each `{set:count}` replaced by that many characters of the set; equal for equal seeds."""
    chance = random.Random(f"{seed} {template}")  # noqa: S311  # no secret is made of it
    return PLACE.sub(lambda m: "".join(chance.choice(SETS[m[1]]) for _ in range(int(m[2]))), template)
