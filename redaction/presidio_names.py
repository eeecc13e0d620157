"""Names, places and organizations in running text, by a model of spaCy that lies on this machine. Never downloaded."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from redaction.finding import Finding

KINDS = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP"})
"""What models find, by the names that Presidio uses for it."""

SCORE = 0.85
"""A model does not say how sure it is; Presidio uses this for all that it finds."""

# The labels of OntoNotes and of CoNLL, which spaCy's models and those trained by others use.
_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "PERSON": "PERSON", "PER": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION",
        "LOCATION": "LOCATION", "ORG": "ORGANIZATION", "ORGANIZATION": "ORGANIZATION", "NORP": "NRP", "NRP": "NRP",
    }
)  # fmt: skip


class Names:
    """A model, loaded from its folder. Raises ImportError without spaCy, OSError or ValueError for what is no model."""

    def __init__(self, folder: str) -> None:
        import spacy

        self._model = spacy.load(folder)

    def find(self, text: str, kinds: Iterable[str]) -> list[Finding]:
        """What of these kinds it takes for names in `text`."""
        wanted = frozenset(kinds)
        with self._model.memory_zone():  # or each new word would be kept for ever
            return [found for found in map(_finding, self._model(text).ents) if found.kind in wanted]


@cache
def names(folder: str) -> Names:
    """The model in a folder, loaded once."""
    return Names(folder)


def _finding(entity: Any) -> Finding:
    kind = _LABELS.get(entity.label_, entity.label_)
    return Finding(kind, entity.start_char, entity.end_char, SCORE, "presidio:spacy")
