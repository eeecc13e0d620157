"""The key `presidio` of toolwall.yaml: the processes of Presidio, and what the operator adds to them.

Whoever writes toolwall.yaml says which code runs: a class, a registry that names models, a function. Rules only choose
among the kinds and operators that come of it, and no request chooses anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from rules.grammar import NAME
from rules.shape import DURATION, Anything, Form, Key, Many, Number, Size, Table, Text, duration, size

MOST_SECRET: Final = 64 * 1024
"""Bytes of a file that holds a parameter of an operator."""

_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")
_Class: Final = Text(r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_]\w*$", "module:Class, such as badges:BadgeRecognizer")
OPERATOR: Final = Form(
    {
        "operator": Key(
            Text(r"^([a-z_]+|[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_]\w*)$", "a name of Presidio's, or module:Name"),
            "Presidio's replace, redact, mask, hash, encrypt or keep; or a class or function of your own.",
            required=True,
        ),
        "with": Key(
            Table(Anything()), "Its parameters, as Presidio names them. A text may be env:NAME or file:PATH instead."
        ),
    }
)
PRESIDIO: Final = Form(
    {
        "workers": Key(Number(1, 64), "How many processes. 1"),
        "time": Key(_Duration, "How long one may look at one text; then it is ended. 2s"),
        "most_characters": Key(Number(1, 1_000_000), "How long such a text may be. 20000"),
        "memory": Key(Size(), "Bytes of data that one may hold. 2GiB"),
        "model": Key(Text(), "Folder of a spaCy model that finds names, relative to this file."),
        "scans": Key(Number(1, 1_000_000), "Texts after which one is made anew, so that it does not grow. 50000"),
        "registry": Key(Text(), "File of recognizers in Presidio's own form, relative to this file."),
        "recognizers": Key(Many(_Class), "Classes of recognizers, each made without arguments."),
        "operators": Key(
            Table(OPERATOR, NAME, "a name of letters, digits, - and _ that begins with a letter"),
            "Operators of Presidio's anonymizer, by the name under which rules speak of them.",
        ),
        "code": Key(Text(), "Folder of the modules that hold such classes, relative to this file."),
    }
)


@dataclass(frozen=True, slots=True)
class PresidioSettings:
    """Of the processes: how many, for how long each may look at one text, how long that may be, how large they grow,
    and after how many texts they are made anew. Of what they load besides Presidio, all by whole paths: the folder of
    a spaCy model, a registry of recognizers, classes as `module:Class`, and the folder where their modules lie.
    """

    workers: int = 1
    text_s: float = 2.0
    most_characters: int = 20_000
    memory: int = 2 << 30
    model: str = ""
    scans: int = 50_000
    registry: str = ""
    recognizers: tuple[str, ...] = ()
    code: str = ""
    operators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """By the name that rules use: `operator`, a name of Presidio's or `module:Name`, and `with`, its parameters, which
    may be keys."""

    @property
    def adds(self) -> bool:
        """Whether there is anything of the operator's to load."""
        return bool(self.registry or self.recognizers or self.operators)

    def parts(self) -> dict[str, Any]:
        """What a process is told to load."""
        names = ("model", "registry", "recognizers", "code", "operators")
        return {name: getattr(self, name) for name in names}


class BadPlace(Exception):
    """A path or variable that cannot be used. The text says which and why."""


def read_presidio(raw: Mapping[str, Any], folder: Path) -> PresidioSettings:
    """The settings, paths relative to `folder` made whole."""
    usual = PresidioSettings()
    return PresidioSettings(
        workers=raw.get("workers", usual.workers),
        text_s=duration(raw["time"]) if "time" in raw else usual.text_s,
        most_characters=raw.get("most_characters", usual.most_characters),
        memory=size(raw.get("memory", usual.memory)),
        scans=raw.get("scans", usual.scans),
        recognizers=tuple(raw.get("recognizers", ())),
        operators={
            name: {"operator": each["operator"], "with": dict(_located(each.get("with", {}), folder))}
            for name, each in raw.get("operators", {}).items()
        },
        **{key: str((folder / raw[key]).absolute()) for key in ("model", "registry", "code") if key in raw},
    )


def _located(params: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        is_file = isinstance(value, str) and value.startswith("file:")
        yield name, f"file:{folder / value.removeprefix('file:')}" if is_file else value


def resolved(settings: PresidioSettings, rules: Path, environ: Mapping[str, str]) -> PresidioSettings:
    """The settings with what stands in the environment and in files. Raises BadPlace.

    Code must not lie where those who write rules could change it.
    """
    if settings.model and not (Path(settings.model) / "meta.json").is_file():
        raise BadPlace(f"{settings.model} is not the folder of a spaCy model: it holds no meta.json.")
    if settings.code and not Path(settings.code).is_dir():
        raise BadPlace(f"{settings.code}, which `code` under `presidio` names, is no folder.")
    rules = rules.resolve()
    for place in filter(None, (settings.code, settings.registry)):
        if Path(place).resolve().is_relative_to(rules) or rules.is_relative_to(Path(place).resolve()):
            raise BadPlace(f"{place} shares a folder with the rules, whose authors would run code here: move it.")
    operators = {
        name: {**each, "with": {key: _value(value, name, environ) for key, value in each["with"].items()}}
        for name, each in settings.operators.items()
    }
    return replace(settings, operators=operators)


def _value(value: Any, operator: str, environ: Mapping[str, str]) -> Any:
    """A parameter; `env:NAME` and `file:PATH` are where it stands instead."""
    scheme, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if scheme == "env":
        if not environ.get(name):
            raise BadPlace(f"The environment variable {name}, for the operator {operator}, is not set, or is empty.")
        return environ[name]
    if scheme != "file":
        return value
    try:
        with Path(name).open("rb") as file:
            data = file.read(MOST_SECRET + 1)
        if len(data) > MOST_SECRET:
            raise BadPlace(f"{name}, for the operator {operator}, is larger than {MOST_SECRET} bytes.")
        return data.decode().strip()
    except OSError as error:
        raise BadPlace(f"{name}, for the operator {operator}, cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:  # it holds the value
        raise BadPlace(f"{name}, for the operator {operator}, is not UTF-8.") from None
