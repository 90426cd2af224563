"""Check whether labels change when only the way of writing does.

A perturbation is a function from a text and a number, which selects one of the possible changes, to
a text; where no change is possible, it returns the text as it is. The idea of testing a model by
what must *not* change: Ribeiro et al. 2020, *Beyond Accuracy: Behavioral Testing of NLP Models with
CheckList* (its invariance tests).

Rows and places are drawn uniformly with a fixed seed, which the interval of a rate needs
(hypothesis searches for failures rather than for a fair sample; it tests the perturbations).
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tunegate.data.comparison import is_label
from tunegate.data.dataset import Dataset, Example
from tunegate.models.predict import Ask
from tunegate.results.finding import Findings
from tunegate.results.labels import LabelRule, exact
from tunegate.results.prediction import Predictions
from tunegate.results.score import Score, not_applicable_score

from ..stats import share
from ..text.display import quote_line

Perturbation = Callable[[str, int], str]

# The neighbours of each letter on its row of a QWERTY keyboard, which are hit by mistake.
_KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOUR_KEYS = {
    letter: row[max(i - 1, 0) : i] + row[i + 1 : i + 2]
    for row in _KEYBOARD_ROWS
    for i, letter in enumerate(row)
}
_ACCENTED = re.compile("([A-Za-z])[\u0300-\u036f]+")  # Latin letters only: й is no accented и
_GAP = re.compile(r"(?<=\S) (?=\S)")
GREETINGS = ("Hi! ", "Hello, ", "Good morning, ", "Oi! ", "Olá, ", "Bom dia, ", "Boa tarde, ")

FLIP_RATE_NAME = "flip rate"
MEASURED_SHARE = 0.7  # of the calls; the rest minimises flips
_WORD = re.compile(r"\S+\s*")


def title_case(text: str, _: int = 0) -> str:
    """Begin each word with a capital; what stands inside a word stays."""
    return re.sub(r"(?<!\S)\w", lambda match: match.group().upper(), text)


def drop_accents(text: str, _: int = 0) -> str:
    """Drop the accents of Latin letters, as many people do who type Portuguese."""
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", text)))


def add_typo(text: str, which: int = 0) -> str:
    """Hit a neighbouring key once."""
    typos = [
        (i, key) for i, letter in enumerate(text) for key in _NEIGHBOUR_KEYS.get(letter.lower(), "")
    ]
    if not typos:
        return text
    position, key = typos[which % len(typos)]
    key = key.upper() if text[position].isupper() else key
    return text[:position] + key + text[position + 1 :]


def add_space(text: str, which: int = 0) -> str:
    """Double a space, or put white space around the whole."""
    gaps = [match.start() for match in _GAP.finditer(text)]
    gap = which % (len(gaps) + 2)
    if gap >= len(gaps):
        return f" {text}" if gap == len(gaps) else f"{text}\n"
    return f"{text[: gaps[gap]]} {text[gaps[gap] :]}"


PERTURBATIONS: dict[str, Perturbation] = {
    "capitals": lambda text, _: text.upper(),
    "small letters": lambda text, _: text.lower(),
    "title case": title_case,
    "accents": drop_accents,
    "typo": add_typo,
    "white space": add_space,
    "greeting": lambda text, which: GREETINGS[which % len(GREETINGS)] + text,
}


@dataclass(frozen=True)
class Trial:
    """A text, its perturbed form, and the labels that the model gave to both."""

    example: Example
    kind: str
    original: str
    perturbed: str
    original_label: str | None
    perturbed_label: str | None = None
    error: str = ""

    @property
    def is_flipped(self) -> bool:
        """Whether the label changed; an error counts as a change."""
        return bool(self.error) or self.original_label != self.perturbed_label

    @property
    def evidence(self) -> str:
        """Both labels and the perturbed text, or the error, on one line."""
        if self.error:
            return f"no answer: {self.error}"
        labels = f"{self.original_label or 'no label'} -> {self.perturbed_label or 'no label'}"
        return f"{labels}: {quote_line(self.perturbed, 90)}"


def flips(
    predictions: Predictions,
    test: Dataset,
    ask: Ask,
    *,
    label: LabelRule = exact,
    calls: int = 200,
    perturbations: Mapping[str, Perturbation] = PERTURBATIONS,
) -> Score:
    """Return the share of labels that change when the question is written differently.

    For classification. Every perturbation is tried on the same number of test rows, which are put
    to the model in one batch; the labels of the unchanged rows come from `predictions`. Further
    batches minimise the flips, one of each kind first. No more than `calls` questions are asked in
    all. The trials on one row are one unit of the interval. All perturbations have the same weight,
    unlike in real traffic, so look at each kind by itself, in `detail`.
    """
    if not all(is_label(label.read(p.expected) or "") for p in predictions):
        return not_applicable_score(
            FLIP_RATE_NAME, "answers are not labels: how they are written may change"
        )
    untried = list(_draw_trials(predictions, test, label, perturbations, calls))
    answers = ask(with_user_texts([(t.example, t.perturbed) for t in untried]))
    # A model that cannot be asked gives no answers at all.
    trials = [
        replace(trial, perturbed_label=label.read(answer.got), error=answer.error)
        for trial, answer in zip(untried, answers, strict=False)
    ]
    if not trials:
        return Score(
            math.nan, name=FLIP_RATE_NAME, hints=("no calls allowed, or a model of fixed answers",)
        )
    flipped = [trial for trial in trials if trial.is_flipped]
    minimiser = FlipMinimiser(ask, label, perturbations, calls - len(trials))
    minimised = minimiser.minimise([t for t in flipped if not t.error])
    all_flips = [*minimised, *(t for t in flipped if t.error)]
    found = [t.example.finding(t.kind, t.evidence) for t in all_flips]
    flip_findings = Findings("flips", found, split="test", n=len(trials))
    hints: list[str] = []
    if len(flip_findings):
        changed = [t for t in trials if t.kind in flip_findings.kinds]
        kinds = ", ".join(" ".join(line.split()) for line in _count_lines(changed))
        smallest = min(flip_findings, key=lambda f: len(f.evidence))
        hints = [
            f"labels changed under {kinds}; other ways of writing: none",
            f"the smallest: {smallest.kind}, line {smallest.line}: {smallest.evidence}",
        ]
    counts = _count_lines(trials)
    by_row = {p.row: replace(p, group=p.group or p.request or str(p.row)) for p in predictions}
    return share(
        FLIP_RATE_NAME, [t.is_flipped for t in trials],
        [replace(by_row[t.example.row], request="") for t in trials],
        missing=[bool(t.error) for t in trials], higher_is_better=False, misses=flip_findings,
        detail="\n".join(counts), hints=hints,
        signature=f"{len(counts)} perturbations, seed 0; {label.name}",
    )  # fmt: skip


def _draw_trials(
    predictions: Predictions,
    test: Dataset,
    label: LabelRule,
    perturbations: Mapping[str, Perturbation],
    calls: int,
) -> Iterator[Trial]:
    """Yield trials without answers: the same number of each kind, on rows that it changes."""
    random, per_kind = Random(0), int(calls * MEASURED_SHARE) // max(len(perturbations), 1)
    rows = [p for p in predictions if not p.error]
    for kind, perturb in perturbations.items():
        drawn_count = 0
        for p in random.sample(rows, len(rows)):
            example, seed = test[p.row], random.randrange(2**16)
            contents = [m.get("content") for m in example.messages if m["role"] == "user"]
            plain = contents[-1] if contents and isinstance(contents[-1], str) else ""
            written = perturb(plain, seed)
            if drawn_count < per_kind and plain.strip() and written != plain:
                drawn_count += 1
                yield Trial(example, kind, plain, written, label.read(p.got))


def with_user_texts(texts: Sequence[tuple[Example, str]]) -> Dataset:
    """Return these examples, each with another text as the content of its last user message."""
    examples: list[Example] = []
    for row, (example, text) in enumerate(texts):
        messages = list(example.messages)
        last = max(i for i, message in enumerate(messages) if message["role"] == "user")
        messages[last] = {**messages[last], "content": text}
        examples.append(Example(row, example.line, {**example.fields, "messages": messages}))
    return Dataset(examples)


def _count_lines(trials: Sequence[Trial]) -> list[str]:
    """Return a line for each kind, the worst first."""
    n = Counter(trial.kind for trial in trials)
    hits = Counter(trial.kind for trial in trials if trial.is_flipped)
    worst = sorted(n, key=lambda kind: -hits[kind] / n[kind])
    return [f"{kind:<14}{hits[kind]:>4,} of {n[kind]:,}" for kind in worst]


@dataclass
class FlipMinimiser:
    """Halves the texts of flips for as long as one half still flips from the same label.

    Both forms of a half are asked, those of several flips in one batch, `calls_left` questions in
    all. This is the first step of delta debugging: Zeller & Hildebrandt 2002, *Simplifying and
    isolating failure-inducing input*, IEEE TSE 28(2).
    """

    ask: Ask
    label: LabelRule
    perturbations: Mapping[str, Perturbation]
    calls_left: int

    def minimise(self, flipped: Sequence[Trial]) -> list[Trial]:
        """Return the flips, smaller where the calls suffice, the first of each kind first."""
        waves: defaultdict[int, list[Trial]] = defaultdict(list)
        count_of_kind: Counter[str] = Counter()
        for trial in flipped:
            waves[count_of_kind[trial.kind]].append(trial)
            count_of_kind[trial.kind] += 1
        minimised: list[Trial] = []
        for _, wave in sorted(waves.items()):
            while wave:
                smaller = self._try_halves(wave)
                minimised += [t for i, t in enumerate(wave) if i not in smaller]
                wave = [smaller[i] for i in sorted(smaller)]
        return minimised

    def _try_halves(self, trials: Sequence[Trial]) -> dict[int, Trial]:
        """Return the first half of each flip that flips as well, by the place of the flip."""
        halves = [(i, half) for i, trial in enumerate(trials) for half in self._halves(trial)]
        halves = halves[: self.calls_left // 2]
        self.calls_left -= 2 * len(halves)
        texts = [(h.example, text) for _, h in halves for text in (h.original, h.perturbed)]
        answers = self.ask(with_user_texts(texts)) if texts else []
        labels_read = [None if a.error else self.label.read(a.got) for a in answers]
        smaller: dict[int, Trial] = {}
        for (i, half), before, after in zip(
            halves, labels_read[::2], labels_read[1::2], strict=True
        ):
            if before == half.original_label and after not in (before, None):
                smaller.setdefault(i, replace(half, perturbed_label=after))
        return smaller

    def _halves(self, trial: Trial) -> Iterator[Trial]:
        """Yield both halves of a trial, in words, that are still written differently."""
        plain, perturbed = _WORD.findall(trial.original), _WORD.findall(trial.perturbed)
        middle = len(plain) // 2
        for part in (slice(0, middle), slice(middle, None)) if middle else ():
            half = "".join(plain[part])
            # With another number of words (a greeting) the halves do not correspond.
            aligned = len(plain) == len(perturbed)
            perturb = self.perturbations[trial.kind]
            other = "".join(perturbed[part]) if aligned else perturb(half, 0)
            if half != other:
                yield replace(trial, original=half, perturbed=other)
