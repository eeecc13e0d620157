"""Three ways: what was generated, what somebody made of it by hand, and what a newer document would generate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from rules.compare.side import same

ABSENT: Final = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
"""Stands where a key is not there: `None` would be the JSON null."""

Keys = tuple[str, ...]


@dataclass(slots=True)
class Merged:
    """The outcome for one value: what it is to be, what the next base says, and where both sides changed the same.

    Where there is a conflict, `value` keeps the edit by hand and `base` what was generated, so that the conflict is
    shown again next time.
    """

    value: Any
    base: Any
    conflicts: list[Keys] = field(default_factory=list)


def merge(base: Any, ours: Any, theirs: Any, keep_ours: bool = False) -> Merged:
    """Merge two changes of one value. Mappings are merged member by member, all else as a whole.

    With `keep_ours` a conflict is settled for the edit by hand.
    """
    done = _settled(base, ours, theirs)
    start = {} if base is ABSENT else base
    if done is None and all(isinstance(side, dict) for side in (start, ours, theirs)):
        done = _members(start, ours, theirs, keep_ours)
    return done or _contested(base, ours, theirs, keep_ours)


def merge_whole(base: Any, ours: Any, theirs: Any, keep_ours: bool = False) -> Merged:
    """The same for values of which the parts only make sense together."""
    return _settled(base, ours, theirs) or _contested(base, ours, theirs, keep_ours)


def _settled(base: Any, ours: Any, theirs: Any) -> Merged | None:
    """The outcome where at most one side changed the value, or both did the same."""
    if same(base, theirs):
        return Merged(ours, base)
    return Merged(theirs, theirs) if same(base, ours) or same(ours, theirs) else None


def _contested(base: Any, ours: Any, theirs: Any, keep_ours: bool) -> Merged:
    return Merged(ours, theirs) if keep_ours else Merged(ours, base, [()])


def _members(base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], keep_ours: bool) -> Merged:
    done = Merged({}, {})
    for key in _keys(ours, theirs, base):
        one = merge(base.get(key, ABSENT), ours.get(key, ABSENT), theirs.get(key, ABSENT), keep_ours)
        if one.value is not ABSENT:
            done.value[key] = one.value
        if one.base is not ABSENT:
            done.base[key] = one.base
        done.conflicts += [(key, *below) for below in one.conflicts]
    return done


def _keys(ours: dict[str, Any], theirs: dict[str, Any], base: dict[str, Any]) -> Iterator[str]:
    """All keys: those of the edited value in its order, each new one after the key that it follows in the newer one."""
    waiting = dict.fromkeys(ours)
    for key in theirs:
        if key in waiting:
            for own in list(waiting):
                del waiting[own]
                yield own
                if own == key:
                    break
        elif key not in ours:
            yield key
    yield from waiting
    yield from (key for key in base if key not in ours and key not in theirs)
