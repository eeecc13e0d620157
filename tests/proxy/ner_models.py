"""Models that find names, made and trained here in seconds: one of transformers, one of GLiNER. Run as a program, its
argument is the folder to write them to. It needs PyTorch, transformers and gliner."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

PROSE = "please call in today the order was sent to wrote that a parcel left on monday build took nine minutes"
WORDS = PROSE.split()
FIRST = ("ana", "boris", "carla", "deniz", "emil", "hanna", "ivan", "jana")
LAST = ("novak", "silva", "meyer", "okafor", "petrov", "rossi", "sato", "weiss")
LABELS = ("O", "B-PER", "I-PER")
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
MOST_TOKENS = 128


def tokenizer() -> Any:
    """One like BERT's, whose words are those above and single letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,<>-"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *letters, *(f"##{each}" for each in letters), *WORDS, *FIRST, *LAST]
    known = {word: at for at, word in enumerate(dict.fromkeys(words))}
    made = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", known["[CLS]"]), ("[SEP]", known["[SEP]"])]
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=MOST_TOKENS, **names)


def examples() -> list[tuple[list[str], list[int]]]:
    """Words, and which of them are of a name."""
    found = []
    for at in range(640):
        before = [WORDS[(at * 7 + n) % len(WORDS)] for n in range(at % 31)]
        after = [WORDS[(at + n) % len(WORDS)] for n in range(at % 7)]
        if at % 4 == 3:
            found.append((before + after, [0] * len(before + after)))
        else:
            name = [FIRST[at % 8], LAST[(at // 8) % 8]]
            found.append((before + name + after, [0] * len(before) + [1, 2] + [0] * len(after)))
    return found


def train(folder: Path) -> None:
    """Write a model for token classification."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    folder.mkdir(parents=True)
    torch.manual_seed(3)
    words = tokenizer()
    names = dict(enumerate(LABELS))
    config = BertConfig(
        vocab_size=len(words), max_position_embeddings=MOST_TOKENS, id2label=names,
        label2id={label: at for at, label in names.items()}, **TINY,
    )  # fmt: skip
    model = BertForTokenClassification(config)
    steps = torch.optim.AdamW(model.parameters(), lr=3e-3)
    seen = examples()
    for _ in range(10):
        for at in range(0, len(seen), 32):
            texts = [text for text, _ in seen[at : at + 32]]
            batch = words(texts, is_split_into_words=True, padding=True, return_tensors="pt")
            labels = [
                [-100 if word is None else seen[at + row][1][word] for word in batch.word_ids(row)]
                for row in range(len(batch["input_ids"]))
            ]
            loss = model(**batch, labels=torch.tensor(labels)).loss
            loss.backward()
            steps.step()
            steps.zero_grad()
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def unlearned(folder: Path) -> None:
    """Write a model of GLiNER that learned nothing: with a threshold of 0 it takes every word for a name."""
    from gliner.config import UniEncoderSpanConfig
    from gliner.model import UniEncoderSpanGLiNER

    words = tokenizer()
    words.add_tokens(["<<ENT>>", "<<SEP>>"])
    encoder = {"model_type": "bert", "vocab_size": 200, "max_position_embeddings": MOST_TOKENS, **TINY}
    config = UniEncoderSpanConfig(hidden_size=32, max_width=4, max_len=60, num_rnn_layers=0, encoder_config=encoder)
    model = UniEncoderSpanGLiNER(config, tokenizer=words, backbone_from_pretrained=False)
    model.resize_embeddings()
    model.save_pretrained(folder)
    model.data_processor.transformer_tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    train(Path(sys.argv[1]) / "bert")
    unlearned(Path(sys.argv[1]) / "gliner")
