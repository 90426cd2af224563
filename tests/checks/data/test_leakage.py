import random
from typing import Any

import pytest

from tunegate.data.dataset import Dataset, Reading
from tunegate.data.splitting import similar_groups
from tunegate.results.outcome import collect_outcomes as accepting
from tunegate_checks.data import duplicates, leakage


def row(prompt: str, reply: str = "delivery") -> dict[str, Any]:
    turns = {"system": "Name the queue.", "user": prompt, "assistant": reply}
    return {"messages": [{"role": r, "content": c} for r, c in turns.items()]}


def made(*prompts: str, split: str = "train") -> Dataset:
    return Dataset.of([row(prompt) for prompt in prompts], split=split)


TRAIN = ("Where is my card?", "When will my parcel get here?", "The app closes on its own")


def test_clean_splits_have_none() -> None:
    found = leakage.find(made(*TRAIN), made("I paid twice", "", "Olá?", split="test"))
    assert list(found) == []
    assert list(found.hints) == []


def test_copies_belong_to_the_test_set_and_name_the_closest_line() -> None:
    train = made(*TRAIN, "where is my card??")
    test = made("I paid twice", "WHERE IS MY CARD?", "When will the parcel get here?", split="test")
    found = leakage.find(train, test)
    assert (found.split, found.n, found.kinds) == ("test", 3, {"exact": 1, "near": 1})
    assert [(f.row, f.line, f.kind, f.evidence) for f in found] == [
        (1, 2, "exact", "train line 1, 1.00, 1 more: “WHERE IS MY CARD?”"),
        (2, 3, "near", "train line 2, 0.92: “When will [the|my] parcel get here?”"),
    ]


def test_the_similarity_decides() -> None:
    sides = made(*TRAIN), made("When will the parcel get here?", split="test")
    assert list(leakage.find(*sides, similarity=0.95)) == []


def test_the_reply_does_not_matter() -> None:
    test = Dataset.of([row("Where is my card?", "something else entirely")])
    assert leakage.find(made(*TRAIN), test).kinds == {"exact": 1}


PASSAGE = "on Monday the courier left it with a neighbour whom nobody in this street knows"
OURS, THEIRS = (" ".join(f"{word}{n}" for n in range(40)) for word in ("ours", "theirs"))


def test_a_passage_is_found_in_a_long_text() -> None:
    train = made(f"Good morning! {PASSAGE.title()}; what can I do about it now? {OURS}")
    test = made(f"I was away for three weeks and am back: {PASSAGE}. {THEIRS}", split="test")
    (found,) = leakage.find(train, test)
    assert (found.kind, found.hint) == ("overlap", False)
    assert found.evidence.startswith("train line 1 has: “on monday the courier left it")


def test_a_passage_of_twelve_words_is_not_enough() -> None:
    passage = " ".join(PASSAGE.split()[:12])
    train = made(f"{passage} {OURS}")
    assert list(leakage.find(train, made(f"Before: {passage} {THEIRS}", split="test"))) == []


def test_a_set_phrase_in_a_short_text_is_no_leak() -> None:
    train = made(f"Good morning! {PASSAGE}; what can I do about it now?")
    test = made(f"I was away for three weeks and came back today: {PASSAGE}.", split="test")
    assert list(leakage.find(train, test)) == []


def test_boilerplate_that_many_rows_share_is_no_leak() -> None:
    def noted(n: int, words: str) -> str:
        return f"{words * 20} {n}: {PASSAGE} {n} {words[::-1] * 20}"

    letters = "bcdfghjklmnp"
    test = made(noted(99, "zag "), split="test")
    for rows, kinds in ((letters, {}), (letters[:5], {"overlap": 1})):
        train = made(*(noted(n, f"{x}o{x} ") for n, x in enumerate(rows)))
        assert leakage.find(train, test).kinds == kinds


def test_replies_that_share_a_passage_are_a_hint() -> None:
    train = Dataset.of([row("Where is it?", f"Sorry: {PASSAGE}. {OURS}")])
    test = Dataset.of([row("I have nothing received!", f"{PASSAGE}, I fear. {THEIRS}")])
    found = leakage.find(train, test)
    assert list(found) == []
    assert [f.kind for f in found.hints] == ["overlap"]


def test_pictures_tell_prompts_apart() -> None:
    def shown(url: str) -> dict[str, Any]:
        picture = {"type": "image_url", "image_url": {"url": url}}
        parts = [{"type": "text", "text": "What is this?"}, picture]
        return {"messages": [{"role": "user", "content": parts}]}

    train = Dataset.of([shown("a"), shown("b")])
    assert list(leakage.find(train, Dataset.of([shown("c")]))) == []
    (found,) = leakage.find(train, Dataset.of([shown("b")]))
    assert found.evidence == "train line 2, 1.00: “What is this?”"


def test_findings_name_rows_wherever_they_stand_in_a_part_of_a_split() -> None:
    long = f"{PASSAGE} {OURS}"
    whole = made("I paid twice", "Where is my card?", f"{PASSAGE} {THEIRS}", split="test")
    part = Dataset(whole[1:], split="test")
    found = leakage.find(made(*TRAIN, long), part)
    assert [(f.row, f.line, f.kind) for f in found] == [(1, 2, "exact"), (2, 3, "overlap")]


def test_a_passage_of_thirteen_words_is_enough() -> None:
    passage = " ".join(PASSAGE.split()[:13])
    test = made(f"Before: {passage} {THEIRS}", split="test")
    assert leakage.find(made(f"{passage} {OURS}"), test).kinds == {"overlap": 1}


def test_a_copy_is_not_told_again_for_the_passages_it_shares() -> None:
    long = f"Good morning! {PASSAGE}. {OURS}"
    for prompt, kind in ((long, "exact"), (f"{long} Thank you.", "near")):
        found = leakage.find(made(long), made(prompt, split="test"))
        assert (found.kinds, {f.kind for f in found.hints}) == ({kind: 1}, {"long texts"})


def test_a_prompt_that_shares_a_passage_is_not_told_again_for_its_reply() -> None:
    said = " ".join(f"said{n}" for n in range(60))
    train = Dataset.of([row(f"{PASSAGE} {OURS}", said)])
    found = leakage.find(train, Dataset.of([row(f"{PASSAGE} {THEIRS}", said)], "test"))
    assert (found.kinds, {f.kind for f in found.hints}) == ({"overlap": 1}, {"long texts"})


def test_the_case_of_a_training_prompt_is_not_part_of_an_id() -> None:
    def ids(prompt: str) -> list[str]:
        with accepting({}):  # ids are made where findings can be accepted
            return [f.id for f in leakage.find(made(prompt), made("Where is my card?"))]

    assert ids("where is my card?") == ids("WHERE is my CARD?")
    assert ids("where is my card?") != ids("where is my card!")


@pytest.mark.parametrize(
    ("prompt", "trained", "other"),
    [
        ("Where is my card", "Where is my card?", "Where is my card!"),
        (f"{PASSAGE} {THEIRS}", f"{PASSAGE} {OURS}", f"{PASSAGE.replace('Monday', 'no')} {OURS}"),
    ],
)
def test_an_id_is_that_of_the_row_and_of_what_it_repeats(
    prompt: str, trained: str, other: str
) -> None:
    def only_id(*prompts: str) -> str:
        with accepting({}):
            (finding,) = leakage.find(made(*prompts), made(prompt, split="test"))
            return finding.id

    assert only_id(trained) == only_id("I paid twice", trained)  # wherever it stands in training
    assert only_id(trained) != only_id(other)  # accepted once is not accepted for another copy


def test_white_space_hides_nothing() -> None:
    """However short the prompt: for such a row a promotion would be refused."""
    train = made("a b", "Where is my card?", "a  b")
    test = made("A\n\n\n\nb", "Where\nis  my card?", "ab", split="test")
    found = leakage.find(train, test)
    assert [(f.row, f.kind) for f in found] == [(0, "exact"), (1, "exact")]
    assert found[0].evidence == "train line 1, 1.00, 1 more: “A b”"


def test_the_same_group_on_both_sides_is_a_leak_of_its_own_kind() -> None:
    reading = Reading(group_by=("user",))
    rows = [{**row(f"{'question ' * n}{n}"), "user": user} for n, user in enumerate("aabbcd")]
    train, test = Dataset.of(rows[:3], "train", reading), Dataset.of(rows[3:5], "test", reading)
    (found,) = leakage.find(train, test, similarity=1.0)
    assert (found.row, found.kind) == (0, "group")
    assert found.evidence == "train line 3 of the same user"
    assert not leakage.find(train, Dataset.of(rows[4:], "test", reading), similarity=1.0)
    assert not leakage.find(Dataset.of(rows[:3]), Dataset.of(rows[3:]), similarity=1.0)
    said = " ".join(f"said{n}" for n in range(60))  # a hint on the reply hides no leak
    sides = [[{**row(prompt, said), "user": 1}] for prompt in ("Where is it?", "I paid twice")]
    found = leakage.find(*(Dataset.of(side, reading=reading) for side in sides))
    assert (found.kinds, len(found.hints)) == ({"group": 1}, 1)


@pytest.mark.parametrize(("one", "other"), [("great", "great!!!"), ("ok", "“ok”"), ("So", "so?!")])
def test_punctuation_around_the_words_of_a_short_text_hides_nothing(one: str, other: str) -> None:
    (found,) = leakage.find(made(one), made(other, split="test"), similarity=0.95)
    assert (found.kind, "the same but for punctuation: “" in found.evidence) == ("near", True)
    assert duplicates.find(made(one, other)).kinds == {"normalised": 1}


def test_another_question_with_another_answer_is_no_leak_and_no_group() -> None:
    sums = [row(f"What is {a} + {b} in all?", str(a + b)) for a in range(9) for b in range(9, 14)]
    train, test = Dataset.of(sums[:-9]), Dataset.of(sums[-9:], "test")
    kept = {f.row for f in leakage.find(train, test)}
    same_sum = {i for i, e in enumerate(test) if any(e.reply == t.reply for t in train)}
    assert kept == same_sum != {*range(9)}
    assert leakage.find(train, Dataset.of([row("What is 1 + 9 in  total?", "11")], "test"))
    assert max(map(len, similar_groups(Dataset.of(sums), 0.85))) < 9


def test_a_passage_is_found_in_a_script_without_spaces() -> None:
    rng = random.Random(0)
    ours, theirs, passage = (
        "".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(n)) for n in (120, 120, 26)
    )
    train, test = made(ours + passage), made(theirs + passage, split="test")
    assert leakage.find(train, test).kinds == {"overlap": 1}
    assert not leakage.find(made(ours + passage[:25]), test)


LONG = (
    "You read what the customers of a large shop on the internet write about the things that they "
    "have bought there, one by one. Decide whether the author of the review below was happy with "
    "the product or not, and answer with one word, positive or negative, and nothing else than it: "
)
OTHER = (
    "Below stands a message that a customer has sent to the people who answer such messages all "
    "day long. Your task is to say which of the queues of our service desk should handle it, by "
    "its name and by nothing else than that name, please. This is the message as it was sent: "
)
ONE_WORD = [
    "good",
    "awful",
    "great",
    "boring",
    "lovely",
    "dull",
    "bright",
    "slow",
    "weak",
    "strong",
    "funny",
    "cold",
]
TEMPLATES = {
    "one word": [f"Classify the sentiment of this review: {word}" for word in ONE_WORD],
    "a long template": [LONG + word for word in ONE_WORD],
    "behind the content": [f"{word}\n\n{LONG.strip()}" for word in ONE_WORD],
    "around it": [f"Here is a review that I got: {w}\n{OTHER.strip()}" for w in ONE_WORD],
    "sentences": [f"{LONG}The {word} lamp {word[::-1]}ed {word[:2]} me" for word in ONE_WORD],
    "two templates": [(LONG, OTHER)[n % 2] + word for n, word in enumerate(ONE_WORD)],
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_most_rows_share_does_not_count(kind: str) -> None:
    prompts = TEMPLATES[kind]
    for sizes in ((6, 6), (9, 3), (4, 4)):
        train, test = made(*prompts[: sizes[0]]), made(*prompts[-sizes[1] :], split="test")
        assert not leakage.find(train, test)
    assert not duplicates.near(made(*prompts))
    assert len(similar_groups(made(*prompts), 0.85)) == len(prompts)
    copy = prompts[0].replace("Classify", "CLASSIFY").replace("good", "good!")
    assert leakage.find(train, made(*prompts[-4:], copy, split="test")).rows == [4]


def test_a_copy_is_found_under_the_template_that_rows_share() -> None:
    said = "The lamp came late, its switch was broken, and nobody answered my letters"
    train = made(*TEMPLATES["a long template"], LONG + said)
    other = said.replace("late", "too late")
    test = made(*(LONG + word for word in ("warm", "plain", "odd")), LONG + other, split="test")
    (found,) = leakage.find(train, test)
    assert (found.row, found.kind) == (3, "near")


DOCUMENTS = [
    " ".join(
        random.Random(n).choices([f"w{chr(97 + k)}{chr(97 + k * 7 % 26)}" for k in range(26)], k=24)
    )
    for n in range(24)
]
QUESTIONS = [
    "who wrote it?",
    "when did the king come back to his town?",
    "how many people live there?",
    "why was that bridge closed?",
]


@pytest.mark.parametrize("form", ["{document}\n\n{question}", "{question}\n\n{document}"])
def test_two_questions_about_one_document_are_no_copies(form: str) -> None:
    asked = [
        form.format(document=document, question=f"{question[:-1]} ({n % 5})?")
        for n, document in enumerate(DOCUMENTS)
        for question in QUESTIONS
    ]
    train, test = made(*asked[::2]), made(*asked[1::2], split="test")
    assert not duplicates.near(made(*asked), similarity=0.8)
    assert not leakage.find(train, test, similarity=0.8)
    groups = similar_groups(made(*asked), 0.85)
    assert sorted(map(len, groups)) == [4] * len(DOCUMENTS)
    again = asked[0].replace("wrote", "had wrote")
    assert leakage.find(train, made(again, split="test"), similarity=0.8).kinds == {"near": 1}


def test_a_row_that_begins_a_training_conversation_is_an_exact_copy() -> None:
    turns = [("user", "My parcel is late"), ("assistant", "delivery"), ("user", "And the refund?"),
             ("assistant", "billing")]  # fmt: skip
    messages = [{"role": role, "content": content} for role, content in turns]
    train = Dataset.of([{"messages": messages}], split="train")
    (found,) = leakage.find(train, Dataset.of([{"messages": messages[:2]}], split="test"))
    assert (found.kind, found.evidence.partition(":")[0]) == ("exact", "train line 1, 1.00")
