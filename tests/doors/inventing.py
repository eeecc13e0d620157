"""Arguments that a schema allows, as a Hypothesis strategy. Knows nothing of how the product reads schemas.

Whatever it does not know (`not`, `if`, a clash in `allOf`) it ignores; who uses it filters by a validator.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from posixpath import dirname, join, normpath
from typing import Any

from hypothesis import strategies as st

Json = Any
MOST_DEPTH = 6
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
SCALAR = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | TEXT
ANYTHING = st.recursive(
    SCALAR, lambda below: st.lists(below, max_size=2) | st.dictionaries(TEXT, below, max_size=2), max_leaves=4
)
FORMATS = {
    "date": st.dates().map(str),
    "date-time": st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z"),
    "email": st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example", fullmatch=True),
    "hostname": st.from_regex(r"[a-z]{1,8}\.example", fullmatch=True),
    "ipv4": st.ip_addresses(v=4).map(str),
    "ipv6": st.ip_addresses(v=6).map(str),
    "uri": st.from_regex(r"https://[a-z]{1,8}\.example/[a-z?&=%2F]{0,1}[a-z]{0,4}", fullmatch=True),
    "uuid": st.uuids().map(str),
}


class Inventor:
    """Reads `$ref` from `files`, JSON texts by their path in the rules folder."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._parsed: dict[str, Json] = {}

    def value(self, schema: Json, here: str = "", depth: int = 0) -> st.SearchStrategy[Json]:
        """Values of a schema that stands in the file `here`."""
        if not isinstance(schema, dict) or not schema:
            return ANYTHING if schema is not False else st.nothing()
        if "$ref" in schema:
            target, file = self._follow(schema["$ref"], here)
            rest = {word: said for word, said in schema.items() if word not in ("$ref", "optional")}
            both = {**target, **rest} if isinstance(target, dict) and file == here else target
            return st.deferred(lambda: self.value(both, file, depth + 1)) if depth < 4 * MOST_DEPTH else st.nothing()
        if "const" in schema or "enum" in schema:
            return st.sampled_from(schema.get("enum", [schema.get("const")]))
        for word in ("anyOf", "oneOf"):
            if word in schema:
                rest = {key: said for key, said in schema.items() if key != word}
                return st.one_of(*[self.value(self._merged(rest, one, here), here, depth) for one in schema[word]])
        if "allOf" in schema:
            rest = {key: said for key, said in schema.items() if key != "allOf"}
            for one in schema["allOf"]:
                rest = self._merged(rest, one, here)
            return self.value(rest, here, depth)
        types = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else None)
        if types is None:
            return ANYTHING
        types = types if isinstance(types, list) else [types]
        return st.one_of(*[self._typed(one, schema, here, depth) for one in types])

    def _typed(self, kind: str, schema: dict[str, Json], here: str, depth: int) -> st.SearchStrategy[Json]:
        if kind == "object":
            return self.members(schema, here, depth)
        if kind == "array":
            most = min(schema.get("maxItems", 3), 3 if depth < MOST_DEPTH else schema.get("minItems", 0))
            least = schema.get("minItems", 0)
            item = self.value(schema.get("items", {}), here, depth + 1)
            return st.lists(item, min_size=least, max_size=max(least, most))
        if kind == "string":
            return _string(schema)
        if kind in ("integer", "number"):
            return _number(kind, schema)
        return st.none() if kind == "null" else st.booleans()

    def members(self, schema: dict[str, Json], here: str, depth: int) -> st.SearchStrategy[dict[str, Json]]:
        """Objects: what is required always, the rest now and then, some names that nobody declared."""
        properties, required = schema.get("properties", {}), set(schema.get("required", []))
        of = {name: self.value(one, here, depth + 1) for name, one in properties.items()}
        must = {name: of[name] for name in of if name in required}
        may = {name: of[name] for name in of if name not in required} if depth < MOST_DEPTH else {}
        known = st.fixed_dictionaries(must, optional=may)
        others = schema.get("additionalProperties")
        if others is None or others is False or depth >= MOST_DEPTH:
            return known
        strange = st.dictionaries(TEXT, self.value(others, here, depth + 1), max_size=2)
        return st.tuples(strange, known).map(lambda both: {**both[0], **both[1]})

    def _merged(self, first: dict[str, Json], second: Json, here: str) -> dict[str, Json]:
        """Two schemas of one place as one; good enough for most."""
        steps = 0
        while isinstance(second, dict) and "$ref" in second and steps < 9:
            target, file = self._follow(second["$ref"], here)
            second = target if file == here else {**_absolute(target, file, here)}
            steps += 1
        if not isinstance(second, dict):
            return first
        both = {**first, **second}
        if "properties" in first and "properties" in second:
            both["properties"] = {**first["properties"], **second["properties"]}
        if "required" in first and "required" in second:
            both["required"] = [*first["required"], *second["required"]]
        if "allOf" in first and "allOf" in second:
            both["allOf"] = [*first["allOf"], *second["allOf"]]
        return both

    def resolved(self, schema: Json) -> Json:
        """A schema of a rules file without references at its top, as it would stand there."""
        here, steps = "", 0
        while isinstance(schema, dict) and "$ref" in schema and steps < 9:
            target, file = self._follow(schema["$ref"], here)
            schema, here, steps = target, file, steps + 1
        return _absolute(schema, here, "") if isinstance(schema, dict) else {}

    def _follow(self, ref: str, here: str) -> tuple[Json, str]:
        path, _, pointer = ref.partition("#")
        file = normpath(join(dirname(here), path)) if path else here
        if file not in self._parsed:
            self._parsed[file] = json.loads(self._files[file])
        found = self._parsed[file]
        for part in pointer.split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found, file


def _absolute(schema: Json, file: str, here: str) -> Json:
    """A schema of another file as it would stand in this one."""
    if isinstance(schema, list):
        return [_absolute(one, file, here) for one in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {key: _absolute(one, file, here) for key, one in schema.items()}
    if isinstance(schema.get("$ref"), str):
        path, mark, pointer = schema["$ref"].partition("#")
        target = normpath(join(dirname(file), path)) if path else file
        up = "../" * here.count("/")
        moved["$ref"] = f"{up}{target}{mark}{pointer}"
    return moved


def _string(schema: dict[str, Json]) -> st.SearchStrategy[str]:
    if schema.get("contentEncoding") == "base64":
        return st.binary(max_size=30).map(lambda data: base64.b64encode(data).decode())
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    least, most = schema.get("minLength", 0), min(schema.get("maxLength", 12), 12 + schema.get("minLength", 0))
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], alphabet=st.characters(codec="ascii")).filter(
            lambda text: least <= len(text) <= schema.get("maxLength", 10_000) and not text.endswith("\n")
        )
    return st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=least, max_size=most)


def _number(kind: str, schema: dict[str, Json]) -> st.SearchStrategy[Json]:
    step = schema.get("multipleOf", 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum", -(10**6)))
    most = schema.get("maximum", schema.get("exclusiveMaximum", max(least, 0) + 10**6))
    whole = st.integers(-(-least // step), most // step).map(lambda count: count * step)
    if kind == "integer":
        return whole.filter(lambda number: number == int(number)).map(int)
    fine = st.floats(least, most, allow_nan=False, allow_infinity=False, exclude_min="exclusiveMinimum" in schema)
    return whole if "multipleOf" in schema else whole | fine
