"""Presidio as it comes: its 17 default recognizers in its analyzer, words in lower case for lemmas, no model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from redaction.finding import Finding

_WORD = re.compile(r"\w+")


@cache
def analyzer() -> Any:
    """The analyzer. Nothing is downloaded: tldextract is given the list of suffixes that it brings along."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer

    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")  # which asks a model
    enhancer = LemmaContextAwareEnhancer(context_matching_mode="whole_word")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an engine of this class gives no words, which ours does
        return AnalyzerEngine(registry=registry, nlp_engine=_blank(), context_aware_enhancer=enhancer)


def _blank() -> Any:
    from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine

    class Blank(NoOpNlpEngine):
        """Words in lower case stand for lemmas, so that context counts."""

        def process_text(self, text: str, language: str) -> NlpArtifacts:
            words = list(_WORD.finditer(text))
            return NlpArtifacts(
                entities=[],
                tokens=[word[0] for word in words],  # type: ignore[arg-type]  # only their lengths are used
                tokens_indices=[word.start() for word in words],
                lemmas=[word[0].lower() for word in words],
                nlp_engine=self,
                language=language,
            )

    engine = Blank([{"lang_code": "en", "model_name": ""}])
    engine.load()
    return engine


def finder(kinds: Sequence[str]) -> Callable[[str], list[Finding]]:
    """Finds those of `kinds` that the default recognizers know."""
    engine = analyzer()
    known = set(engine.get_supported_entities("en")) & set(kinds)

    def find(text: str) -> list[Finding]:
        found = engine.analyze(text, language="en", entities=sorted(known), score_threshold=0.4)
        return [Finding(each.entity_type, each.start, each.end, each.score, "presidio") for each in found]

    return find
