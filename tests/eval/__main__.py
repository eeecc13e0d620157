"""`make eval`: what is found in real-world corpora beside what Presidio finds in the same run.

`--docs` also writes the tables into docs/eval.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version

from redaction.profiles import kinds_of, own_kinds
from redaction.scanner import Scanner
from tests.eval import measures, presidio
from tests.eval.corpora import CORPORA, ROOT
from tests.eval.measures import FORMS, Score, Scores

PAGE = ROOT / "docs" / "eval.md"
BEGIN, END = "<!-- begin of what `make eval ARGS=--docs` wrote -->", "<!-- end -->"


def tables() -> Iterator[str]:
    """Each table in Markdown."""
    strict, secrets = Scanner(kinds_of("strict")), Scanner(kinds_of("secrets"))
    yield f"With every kind switched on, beside Presidio {version('presidio-analyzer')} with its default recognizers."
    yield _both("Labelled sentences", measures.sentences(strict.find), measures.sentences(presidio.finder(FORMS)))
    theirs = presidio.analyzer().get_supported_entities("en")
    same = own_kinds() & frozenset(theirs)
    found = measures.cases(strict.find, same), measures.cases(presidio.finder(theirs), same)
    yield _cases("Strings of the tests of Presidio's default recognizers", found)
    yield _one(
        "Strings of the tests of all its recognizers, by kinds that our patterns find",
        measures.cases(strict.find, own_kinds()),
        "left alone",
    )
    yield _both(
        "Phone numbers of all countries",
        measures.phones(strict.find),
        measures.phones(presidio.finder(["PHONE_NUMBER"])),
    )
    yield _one(
        "Members of JSON that their names make personal, profile `standard`",
        measures.members(Scanner(kinds_of("standard"))),
    )
    yield _one("Test strings of secret scanners, profile `secrets`", measures.secrets(secrets.find), "left alone")
    yield _benign()
    yield _targets()


def _both(title: str, ours: Scores, theirs: Scores) -> str:
    rows = [(kind, ours[kind], theirs[kind]) for kind in sorted(ours.by)]
    head = ("kind", "there are", "recall", "precision", "F", "Presidio's recall", "precision", "F")
    lines = ((kind, str(our.gold), *_three(our), *_three(their)) for kind, our, their in rows)
    return _table(title, head, lines)


def _three(score: Score) -> tuple[str, str, str]:
    if not score.found:
        return f"{score.recall:.1%}", "", ""
    return f"{score.recall:.1%}", f"{score.precision:.1%}", f"{score.f1:.3f}"


def _cases(title: str, both: tuple[Scores, Scores]) -> str:
    names = sorted(both[0].by)
    head = ("kind", "positives", "found", "by Presidio", "negatives", "hit", "by Presidio")
    return _table(title, head, (_case(name, both[0][name], both[1][name]) for name in names))


def _case(name: str, our: Score, their: Score) -> tuple[str, ...]:
    numbers = our.gold, our.hit, their.hit, our.found, our.found - our.right, their.found - their.right
    return name, *map(str, numbers)


def _one(title: str, scores: Scores, of: str = "") -> str:
    head = ("", "positives", "found", "recall", *(("negatives", of) if of else ()))
    rows = (
        (name, str(each.gold), str(each.hit), f"{each.recall:.1%}", *((str(each.found), str(each.right)) if of else ()))
        for name, each in sorted(scores.by.items())
    )
    return _table(title, head, rows)


def _benign() -> str:
    rows = []
    for profile in ("secrets", "standard", "strict"):
        total, touched, kinds = measures.benign(kinds_of(profile))
        most = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(8))
        rows.append((f"`{profile}`", str(total), str(touched), most))
    return _table("Real answers of tools", ("profile", "answers", "touched", "findings"), rows)


def _targets() -> str:
    def row(target: measures.Target) -> tuple[str, ...]:
        sign = "at least" if target.at_least else "at most"
        return target.says, f"{sign} {target.bound:.1%}", f"{target.value:.1%}", "met" if target.met else "NOT MET"

    return _table("Targets", ("what", "target", "measured", ""), map(row, measures.targets()))


def _table(title: str, head: tuple[str, ...], rows: object) -> str:
    lines = [f"**{title}**", "", f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])  # type: ignore[attr-defined]


def main(args: list[str]) -> int:
    """Print the tables. Returns 2 where there are no corpora."""
    if not CORPORA.is_dir():
        print("There are no corpora: name their folder in TOOLWALL_CORPORA.", file=sys.stderr)
        return 2
    text = "\n\n".join(tables())
    print(text)
    if "--docs" in args:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
