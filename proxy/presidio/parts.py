"""What the operator adds to Presidio: recognizers from a registry file and of classes. Read in the worker only.

Classes are other people's code and a registry may name models, which can hold code too. So both are named in
toolwall.yaml alone, and run where there is no secret and no network.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from proxy.presidio import ner
from redaction import presidio
from rules.source import LoadProblem, Node, read

MOST_BYTES: Final = 1024 * 1024
"""Of a registry file."""

MOST_RECOGNIZERS: Final = 500

_KIND: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_TOP: Final = frozenset({"supported_languages", "global_regex_flags", "recognizers"})


class BadPart(Exception):
    """Something that toolwall.yaml names cannot be used. The text says which and why; it is for the operator."""


def added(parts: Mapping[str, Any]) -> tuple[list[Any], frozenset[str]]:
    """The operator's recognizers, and the classes that they stand for instead of Presidio's. Raises BadPart."""
    if parts["code"]:
        sys.path.insert(0, parts["code"])
    made = [_of_class(name) for name in parts["recognizers"]]
    instead: frozenset[str] = frozenset()
    if parts["registry"]:
        more, instead = registry(Path(parts["registry"]))
        made += more
    return made, instead


def registry(file: Path) -> tuple[list[Any], frozenset[str]]:
    """The recognizers of a file in Presidio's own form, and the classes that it names. Raises BadPart."""
    root = _root(file)
    common = {"supported_languages": ["en"], **root.plain()}
    made: list[Any] = []
    classes: set[str] = set()
    problems: list[LoadProblem] = []
    for node in root.value["recognizers"].each():
        block, wrong = _block(node, file.parent)
        if not wrong:
            try:
                made += _made(common | {"recognizers": [block]}, block)
            except Exception as error:
                wrong = [node.problem(f"{block['name']}: {why(error)}")]
        problems += wrong
        classes |= {_class(block)} if block else set()
    _refuse(problems)
    return made, frozenset(classes)


def _made(configuration: dict[str, Any], block: Mapping[str, Any]) -> list[Any]:
    """One recognizer, as often as it has languages."""
    from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider

    provider = RecognizerRegistryProvider(registry_configuration=configuration)
    made: list[Any] = list(provider.create_recognizer_registry().recognizers)
    if not made and block.get("enabled", True) is not False:  # Presidio leaves it out with a warning
        raise BadPart("would be left out: its language is not among supported_languages")
    return [_checked(each, each.name) for each in made]


def _root(file: Path) -> Node:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadPart(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise BadPart(f"{file} is larger than {MOST_BYTES} bytes")
    root, problems = read(str(file), data)
    _refuse(problems)
    listed = root and root.get("recognizers")
    if root is None or listed is None or not isinstance(listed.value, list) or not listed.value:
        raise BadPart(f"{file} needs the key recognizers with a list of them")
    if len(listed.value) > MOST_RECOGNIZERS:
        raise BadPart(f"{file} holds more than {MOST_RECOGNIZERS} recognizers")
    _refuse([root.key_problem(key, "is no key of a registry") for key in root.value if key not in _TOP])
    return root


def _block(node: Node, folder: Path) -> tuple[dict[str, Any], list[LoadProblem]]:
    """A recognizer as a mapping, since Presidio leaves out those that are mere names; and what it would overlook."""
    block = node.plain()
    block = {"name": block} if isinstance(block, str) else block
    if not isinstance(block, dict) or not isinstance(block.get("name"), str):
        return {}, [node.problem("must be the name of a recognizer, or a mapping with a name")]
    custom = block.get("type") == "custom" or bool({"patterns", "deny_list"} & block.keys())
    block.setdefault("type", "custom" if custom else "predefined")
    if custom:  # Presidio cannot do without
        block.setdefault("patterns", [])
    problems = [node.key_problem(key, "is no key of this recognizer") for key in _unknown(block, custom)]
    problems += [node.key_problem(key, said) for key, said in ner.located(block, folder)]
    return block, problems


def _unknown(block: Mapping[str, Any], custom: bool) -> Iterator[str]:
    from presidio_analyzer.input_validation import yaml_recognizer_models as models

    if custom:
        model: Any = models.CustomRecognizerConfig
    else:
        model = models.CONFIG_MODEL_MAP.get(str(_class(block)), models.PredefinedRecognizerConfig)
    if model.model_config.get("extra") != "allow":
        yield from (key for key in block if key not in model.model_fields)


def _class(block: Mapping[str, Any]) -> str:
    return str(block.get("class_name") or block["name"])


def _of_class(name: str) -> Any:
    """A recognizer of the class `module:Class`, made without arguments."""
    from presidio_analyzer import EntityRecognizer

    thing = found(name)
    if not isinstance(thing, type) or not issubclass(thing, EntityRecognizer):
        raise BadPart(f"{name} is no class of recognizers: it must be a subclass of presidio_analyzer.EntityRecognizer")
    try:
        made = thing()  # type: ignore[call-arg]
    except Exception as error:
        raise BadPart(f"{name} cannot be made without arguments: {why(error)}") from None
    return _checked(made, name)


def found(name: str) -> Any:
    """What stands under `module:Name`. Raises BadPart."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:
        raise BadPart(f"{name} cannot be imported: {why(error)}") from None


def _checked(made: Any, name: str) -> Any:
    """A recognizer that can do its work here."""
    from presidio_analyzer import PatternRecognizer, RemoteRecognizer
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    if isinstance(made, RemoteRecognizer):
        raise BadPart(f"{name} asks a service, and the processes of Presidio may open no connection")
    if isinstance(made, SpacyRecognizer):
        hint = "name its folder as `model` under `presidio`, or use HuggingFaceNerRecognizer or GLiNERRecognizer"
        raise BadPart(f"{name} needs a model of Presidio's NLP engine, which is not run: {hint}")
    kinds = made.supported_entities
    if inspect.isabstract(type(made)) or not kinds or not all(isinstance(kind, str) for kind in kinds):
        raise BadPart(f"{name} says of no entity that it finds it")
    if wrong := [kind for kind in kinds if not _KIND.fullmatch(kind)]:
        raise BadPart(f"{name}: {wrong[0]!r} is no name of an entity: it must match {_KIND.pattern}")
    try:
        ner.guarded(made)
        return presidio.bounded(made) if isinstance(made, PatternRecognizer) else made
    except Exception as error:
        raise BadPart(f"{name} cannot be used: {why(error)}") from None


def _refuse(problems: list[LoadProblem]) -> None:
    if problems:
        raise BadPart("\n".join(map(str, problems)))


def why(error: BaseException) -> str:
    """In one line what an error says, or what it was raised from, where it says nothing itself."""
    if isinstance(error, BadPart):
        return str(error)
    cause = error.__cause__ if isinstance(error, ValueError) and error.__cause__ is not None else error
    errors = getattr(cause, "errors", None)
    if callable(errors):  # pydantic's, a block each
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in errors())
    return f"{type(error).__name__}: {error}".replace("\n", " ")
