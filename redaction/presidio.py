"""Microsoft Presidio's recognizers, for the kinds that our own patterns do not find.

Importing this module loads nothing; the first use loads Presidio, in about two seconds. Its recognizers are called
directly: no `AnalyzerEngine`, which without a model downloads one. tldextract, which some recognizers call, is set to
the list of public suffixes that it brings along, so it never fetches one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cache
from types import MappingProxyType
from typing import Any

from redaction import presidio_names
from redaction.engine import ScanError
from redaction.finding import Finding, resolve
from redaction.profiles import PRESIDIO

# Recognizers are backtracking expressions, some of them quadratic; a longer text could hold the process for seconds.
MOST_CHARACTERS = 20_000
# How long one expression may run on one text. Presidio gives each 60 s, and then goes on as if it had found nothing.
MOST_SECONDS = 1.0
# Presidio's own score for a weak pattern that has one of its context words close by.
LEAST_SCORE = 0.4

_WORD = re.compile(r"\w+")


class Recognizers:
    """The recognizers that find `kinds`, each an entity's name, with or without `presidio:`. A `Detector`.

    Context words count as in Presidio with a tokenizer whose lemmas are the words in lower case. `model` is the folder
    of what finds names (`redaction.presidio_names`), `most` how many characters a text may have, `known` what there is
    besides Presidio's own, by entity. Recognizers of every language are asked: nobody says which one a text is in.
    """

    def __init__(
        self,
        kinds: frozenset[str],
        model: str = "",
        most: int = MOST_CHARACTERS,
        known: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        self.kinds = kinds
        self._most = most
        self._model = model
        self._wanted = sorted({kind.removeprefix(PRESIDIO) for kind in kinds})
        by_kind = recognizers() if known is None else known
        self._recognizers = list({id(r): r for kind in self._wanted for r in by_kind.get(kind, ())}.values())
        self._named = presidio_names.KINDS.intersection(self._wanted) if model else frozenset[str]()
        self._missing = [kind for kind in self._wanted if kind not in by_kind and kind not in self._named]
        self._enhancer = _enhancer()
        self._least = {each.id: getattr(each, "score_thresholds", {}) for each in self._recognizers}

    def find(self, text: str, key: str = "") -> list[Finding]:
        """The findings in `text` of at least `LEAST_SCORE`, or what their recognizer's own `score_thresholds` say.

        Raises ScanError for a text that is too long, and where there is nothing that finds one of the kinds.
        """
        if len(text) > self._most:
            raise ScanError(f"Presidio is not given texts of more than {self._most} characters")
        if self._missing:
            model = "there is no model that finds names" if presidio_names.KINDS.issuperset(self._missing) else ""
            raise ScanError(model or f"nothing finds {', '.join(self._missing)}")
        results = self._results(text, [key.lower()] if key else [])
        found = [_finding(result, len(text)) for result in results if self._counts(result)]
        return resolve([*found, *self._names(text)])

    def _names(self, text: str) -> list[Finding]:
        return presidio_names.names(self._model).find(text, self._named) if self._named else []

    def _counts(self, result: Any) -> bool:
        if result.entity_type not in self._wanted:  # some report what nobody asked for
            return False
        own = self._least.get(result.recognition_metadata[result.RECOGNIZER_IDENTIFIER_KEY], {})
        return bool(result.score >= own.get(result.entity_type, own.get("default", LEAST_SCORE)))

    def _results(self, text: str, context: list[str]) -> Sequence[Any]:
        artifacts = _artifacts(text)
        raw = [result for each in self._recognizers for result in self._asked(each, text, artifacts)]
        if not raw:
            return raw
        enhanced: Sequence[Any] = self._enhancer.enhance_using_context(text, raw, artifacts, self._recognizers, context)
        return enhanced

    def _asked(self, recognizer: Any, text: str, artifacts: Any) -> Iterator[Any]:
        """What one recognizer finds, each with the recognizer's name, as Presidio's own engine adds it."""
        wanted = [kind for kind in self._wanted if kind in recognizer.supported_entities]
        for result in recognizer.analyze(text, wanted, artifacts) or ():
            names = {result.RECOGNIZER_NAME_KEY: recognizer.name, result.RECOGNIZER_IDENTIFIER_KEY: recognizer.id}
            result.recognition_metadata = names | (result.recognition_metadata or {})
            yield result


@cache
def recognizers() -> Mapping[str, Sequence[Any]]:
    """Presidio's pattern recognizers of all countries, by entity. Raises ImportError without Presidio."""
    import presidio_analyzer.predefined_recognizers as predefined
    from presidio_analyzer import PatternRecognizer

    _stay_home()
    by_kind: dict[str, list[Any]] = {}
    for thing in vars(predefined).values():
        if isinstance(thing, type) and issubclass(thing, PatternRecognizer):
            made = bounded(thing())  # type: ignore[call-arg]
            for kind in made.supported_entities:
                by_kind.setdefault(kind, []).append(made)
    return MappingProxyType(by_kind)


def with_more(more: Iterable[Any], instead_of: frozenset[str]) -> Mapping[str, Sequence[Any]]:
    """Presidio's pattern recognizers but those of these classes, and others, by entity."""
    by_kind = {
        kind: left
        for kind, made in recognizers().items()
        if (left := [each for each in made if type(each).__name__ not in instead_of])
    }
    for each in more:
        for kind in each.supported_entities:
            by_kind.setdefault(kind, []).append(each)
    return MappingProxyType(by_kind)


class _Bounded:
    """A compiled expression that raises ScanError after its time, where Presidio would skip it and go on."""

    def __init__(self, regex: Any) -> None:
        self._regex = regex

    def finditer(self, text: str, timeout: float) -> Iterator[Any]:
        try:
            yield from self._regex.finditer(text, timeout=min(timeout, MOST_SECONDS))
        except TimeoutError:
            raise ScanError(f"an expression of Presidio ran for more than {MOST_SECONDS} s") from None


def bounded(recognizer: Any) -> Any:
    """A `PatternRecognizer` whose expressions raise ScanError after their time. Raises what its expressions raise."""
    recognizer.patterns = [copy(pattern) for pattern in recognizer.patterns]  # classes share them, with other flags
    recognizer.analyze("", recognizer.supported_entities, None)  # compiles its expressions
    for pattern in recognizer.patterns:
        pattern.compiled_regex = _Bounded(pattern.compiled_regex)
    return recognizer


def _stay_home() -> None:
    import tldextract

    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())


def _enhancer() -> Any:
    from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer

    return LemmaContextAwareEnhancer(context_matching_mode="whole_word")


def _artifacts(text: str) -> Any:
    from presidio_analyzer.nlp_engine import NlpArtifacts

    words = list(_WORD.finditer(text))
    return NlpArtifacts(
        entities=[],
        tokens=[word[0] for word in words],  # type: ignore[arg-type]  # only their lengths are used
        tokens_indices=[word.start() for word in words],
        lemmas=[word[0].lower() for word in words],
        nlp_engine=_no_language(),
        language="en",
    )


@cache
def _no_language() -> Any:
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    engine = NoOpNlpEngine([{"lang_code": "en", "model_name": ""}])
    engine.load()
    return engine


def _finding(result: Any, size: int) -> Finding:
    if not 0 <= result.start < result.end <= size:
        raise ScanError("a recognizer of Presidio reported a place outside of the text")
    detector = f"presidio:{result.recognition_metadata[result.RECOGNIZER_NAME_KEY]}"
    return Finding(result.entity_type, result.start, result.end, float(result.score), detector)
