"""The checks by the names under which patterns ask for them."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache, wraps
from types import ModuleType

from redaction import checks, dialling, forms, guesses, national

Check = Callable[[str], int]

_MODULES = (checks, forms, guesses, national, dialling)
# Functions that others are made of, and that are no checks.
_HELPERS = frozenset({"luhn", "digits"})


def check_named(name: str) -> Check:
    """The check of that name. Raises ValueError, with the closest name, where there is none."""
    found = _checks().get(name)
    if found is None:
        close = get_close_matches(name, _checks(), n=1)
        raise ValueError(f"there is no check {name!r}" + (f" (did you mean {close[0]!r}?)" if close else ""))
    return found


@cache
def _checks() -> dict[str, Check]:
    found = {name: thing for module in _MODULES for name, thing in _of(module) if name not in _HELPERS}
    return {name: _guarded(thing) if thing.__module__ == national.__name__ else thing for name, thing in found.items()}


def _guarded(check: Check) -> Check:
    """A check that answers 0 for what it was not made for: too short, or letters where digits belong."""

    @wraps(check)
    def guarded(value: str) -> int:
        try:
            return check(value)
        except (IndexError, KeyError, ValueError):
            return 0

    return guarded


def _of(module: ModuleType) -> list[tuple[str, Check]]:
    mine = [(name, thing) for name, thing in vars(module).items() if callable(thing) and not isinstance(thing, type)]
    return [(name, thing) for name, thing in mine if name.islower() and not name.startswith("_") and _made_here(thing)]


def _made_here(thing: Check) -> bool:
    return getattr(thing, "__module__", "").startswith("redaction.")
