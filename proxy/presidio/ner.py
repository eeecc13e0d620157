"""Models that find names by transformers or GLiNER, as Presidio's own recognizers run them, without their two traps.

They download a model that is not there, and they say that they found nothing where they failed or read only a part:
text behind the most tokens of a model is cut off, and an error is logged. Here a model is a folder of this machine,
long texts are read in pieces of bounded size, and what was not read whole is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from redaction.engine import ScanError
from redaction.pieces import pieces

MODELS: Final = frozenset({"HuggingFaceNerRecognizer", "MedicalNERRecognizer", "GLiNERRecognizer"})

_FOLDERS: Final = ("model_name", "tokenizer_name")


def located(block: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """Put whole paths in a block of a registry where it names a model, relative to `folder`; what is wrong, by key."""
    if (block.get("class_name") or block["name"]) not in MODELS:
        return
    if "model_name" not in block:
        yield "name", "needs the key model_name with the folder of a model"
    for key in _FOLDERS:
        if key in block:
            path = folder / str(block[key])
            block[key] = str(path.absolute())
            if not path.is_dir():
                yield key, "is no folder on this machine; models are not downloaded"


def guarded(made: Any) -> None:
    """Let a recognizer that runs such a model fail aloud. Others stay as they are."""
    from presidio_analyzer.predefined_recognizers.ner import GLiNERRecognizer, HuggingFaceNerRecognizer

    if not isinstance(made, GLiNERRecognizer | HuggingFaceNerRecognizer):
        return
    recognizer: Any = made
    _cut_evenly(recognizer)
    if not recognizer.score_thresholds:
        recognizer.score_thresholds = {"default": recognizer.threshold}
    if isinstance(made, HuggingFaceNerRecognizer):
        _fail_aloud(recognizer)
    else:
        recognizer.gliner = _WholeGliner(recognizer.gliner)


def _cut_evenly(recognizer: Any) -> None:
    """Presidio's pieces end at spaces alone, so a text without any would be one piece, and its end unread."""
    from presidio_analyzer.chunkers import BaseTextChunker, CharacterBasedTextChunker
    from presidio_analyzer.chunkers.base_chunker import TextChunk

    class Pieces(BaseTextChunker):
        def __init__(self, size: int, overlap: int) -> None:
            self._size, self._overlap = size, overlap

        def chunk(self, text: str) -> list[Any]:
            found = pieces(text, self._size, self._overlap)
            return [TextChunk(text=text[start:end], start=start, end=end) for start, end in found]

        def deduplicate_overlapping_entities(self, predictions: list[Any], *_: Any, **__: Any) -> list[Any]:
            return predictions  # overlapping findings become one that covers all of them

    chunker = recognizer.text_chunker
    if isinstance(chunker, CharacterBasedTextChunker):
        recognizer.text_chunker = Pieces(chunker.chunk_size, min(chunker.chunk_overlap, chunker.chunk_size // 3))


def _fail_aloud(recognizer: Any) -> None:
    pipeline = recognizer.ner_pipeline = _WholePipeline(recognizer.ner_pipeline)
    analyze = recognizer.analyze

    def whole(*arguments: Any, **named: Any) -> Any:
        pipeline.trouble = ""
        found = analyze(*arguments, **named)
        if pipeline.trouble:  # the recognizer logged it, and went on
            raise ScanError(pipeline.trouble)
        return found

    recognizer.analyze = whole


class _WholePipeline:
    """A pipeline of transformers that remembers in `trouble` that it did not read a text whole."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.tokenizer = pipeline.tokenizer
        most = getattr(pipeline.model.config, "max_position_embeddings", None) or self.tokenizer.model_max_length
        self._most = min(most, self.tokenizer.model_max_length)
        self.trouble = ""

    def __call__(self, text: str) -> Any:
        if len(self.tokenizer(text)["input_ids"]) > self._most:
            self.trouble = "a piece of the text has more tokens than the model reads"
            raise ScanError(self.trouble)
        try:
            return self._pipeline(text)
        except Exception as error:
            self.trouble = f"the model failed ({type(error).__name__})"  # its message may hold the text
            raise


class _WholeGliner:
    """A model of GLiNER that refuses a text of which it would read only the first words."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._most = int(model.config.max_len)
        self._words = model.data_processor.words_splitter
        self._tokenizer = model.data_processor.transformer_tokenizer

    def predict_entities(self, text: str, labels: list[str], **named: Any) -> Any:
        words = [word for word, _, _ in self._words(text)]
        tokens = self._tokenizer([*labels, *words], is_split_into_words=True)["input_ids"]
        if len(words) > self._most or len(tokens) + len(labels) + 2 > self._tokenizer.model_max_length:
            raise ScanError("a piece of the text has more words than the model reads")
        return self._model.predict_entities(text=text, labels=labels, **named)
