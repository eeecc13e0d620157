"""Rules for values whose form is loose: addresses of coins, devices and the web, documents, places on earth."""

import re
from functools import reduce
from hashlib import sha256
from operator import xor

from redaction.checks import digits

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_PLACES = {sign: place for place, sign in enumerate(_BECH32)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# What the five bits that are pushed out turn in the checksum.
_TURNS = [reduce(xor, (g for bit, g in enumerate(_GENERATORS) if top >> bit & 1), 0) for top in range(32)]
# Bech32 (BIP 173) for the first version of witness programs, Bech32m (BIP 350) for the others.
_BECH32_ENDS = (1, 0x2BC830A3)
_ICAO_BLANKS = re.compile(r"[\W_]+")


def with_figures(value: str) -> int:
    """At least five digits: a number, not a word."""
    return len(value) if len(digits(value)) >= 5 else 0


def base58check(value: str) -> int:
    """An address with the checksum of Base58Check (Bitcoin Wiki), as Bitcoin, Litecoin, Dogecoin and Tron use it."""
    number = 0
    for sign in value:
        place = _BASE58.find(sign)
        if place < 0:
            return 0
        number = number * 58 + place
    if number >> 200:
        return 0
    data = number.to_bytes(25, "big")
    return len(value) if sha256(sha256(data[:21]).digest()).digest()[:4] == data[21:] else 0


def bech32(value: str) -> int:
    """A segregated witness address: Bech32 (BIP 173) or Bech32m (BIP 350), all in one case."""
    if value not in (value.lower(), value.upper()):
        return 0
    prefix, _, data = value.lower().rpartition("1")
    values = [ord(sign) >> 5 for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix]
    places = [_PLACES.get(sign, -1) for sign in data]
    return len(value) if -1 not in places and _polymod(values + places) in _BECH32_ENDS else 0


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value ^ _TURNS[checksum >> 25]
    return checksum


def mac(value: str) -> int:
    """The address of a device (IEEE 802), one sign between all pairs; not all zeros, not that of everybody."""
    bare = _ICAO_BLANKS.sub("", value).lower()
    return len(value) if len(set(value) & {":", "-", "."}) == 1 and len(set(bare)) > 1 else 0


def coordinates(value: str) -> int:
    """A latitude and a longitude in degrees (ISO 6709), not both whole or zero."""
    north, east = (float(part) for part in re.findall(r"[+\-]?\d+(?:\.\d+)?", value)[:2])
    return len(value) if abs(north) <= 90 and abs(east) <= 180 and (north or east) else 0


def date(value: str) -> int:
    """A day that can be: of day and month, in either order, one is at most 12."""
    numbers = [int(part) for part in re.findall(r"\d+", value)[:3]]
    if len(numbers) == 3 and numbers[0] > 31:
        numbers = numbers[1:]
    return len(value) if min(numbers[:2], default=1) <= 12 and max(numbers[:2], default=1) <= 31 else 0
