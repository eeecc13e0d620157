"""A model of spaCy that finds names, trained in a second: a few hundred kilobytes, no download. Run as a program: the
folder to write it to is its argument."""

import random
import sys
import warnings
from pathlib import Path

FIRST = ("Ana", "Boris", "Carla", "Deniz", "Emil", "Fatima", "Goran", "Hanna", "Ivan", "Jana", "Karl", "Lena")
LAST = ("Novak", "Silva", "Meyer", "Okafor", "Petrov", "Quist", "Rossi", "Sato", "Tamm", "Urban", "Vargas", "Weiss")
PLACES = ("Lisbon", "Zagreb", "Oslo", "Nairobi", "Kyoto", "Quito", "Tallinn", "Porto", "Leeds", "Graz")
FORMS = (
    "{person} lives in {place}.",
    "Please call {person} in {place} today.",
    "The order was sent to {person}, {place}.",
    "{person} wrote that the parcel left {place} on Monday.",
    "The build took nine minutes and the tests passed.",
    "Nothing was found in the log of the server.",
    "The passport 123456789, mail a@example.com, is on file in {place}, passport 12.",
    "Passport 912, mail and passport 34 of {person}, passport, mail.",
)
TINY = {
    "model": {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 32,
        "maxout_pieces": 2,
        "use_upper": True,
        "nO": None,
        "tok2vec": {
            "@architectures": "spacy.HashEmbedCNN.v2",
            "pretrained_vectors": None,
            "width": 32,
            "depth": 2,
            "embed_size": 300,
            "window_size": 1,
            "maxout_pieces": 2,
            "subword_features": True,
        },
    }
}


def example(chance: random.Random) -> tuple[str, list[tuple[int, int, str]]]:
    """A sentence and where its names are."""
    person, place = f"{chance.choice(FIRST)} {chance.choice(LAST)}", chance.choice(PLACES)
    text = chance.choice(FORMS).format(person=person, place=place)
    found = ((person, "PERSON"), (place, "GPE"))
    return text, [(text.index(name), text.index(name) + len(name), label) for name, label in found if name in text]


def train(folder: Path) -> None:
    """Write the model."""
    import spacy
    from spacy.training import Example

    chance = random.Random(3)
    spacy.util.fix_random_seed(3)
    model = spacy.blank("en")
    ner = model.add_pipe("ner", config=TINY)
    for label in ("PERSON", "GPE"):
        ner.add_label(label)
    sentences = [example(chance) for _ in range(200)]
    examples = [Example.from_dict(model.make_doc(text), {"entities": found}) for text, found in sentences]
    optimizer = model.initialize(lambda: examples)
    for _ in range(10):
        chance.shuffle(examples)
        for at in range(0, len(examples), 16):
            model.update(examples[at : at + 16], sgd=optimizer)
    model.to_disk(folder)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    train(Path(sys.argv[1]))
