from collections.abc import Callable
from typing import Any

import pytest

from tunegate.data.dataset import Dataset
from tunegate.results.finding import Findings
from tunegate.results.outcome import collect_outcomes as accepting
from tunegate_checks.data import duplicates

SYSTEM = "Sort the customer's question into one of our nine queues, and answer with its name only."
CLEAN = [
    ("Where is my card?", "delivery"),
    ("Has my parcel left the warehouse yet?", "delivery"),
    ("The app closes when I tap on the receipt", "bug"),
    ("Please send the invoice to my new address", "billing"),
    ("É possível pagar em três vezes?", "billing"),
]


def row(prompt: str, reply: str, system: str = SYSTEM) -> dict[str, Any]:
    turns = {"system": system, "user": prompt, "assistant": reply}
    return {"messages": [{"role": r, "content": c} for r, c in turns.items()]}


def made(*extra: tuple[str, str]) -> Dataset:
    return Dataset.of([row(*pair) for pair in (*CLEAN, *extra)], split="train")


def test_a_clean_dataset_has_none() -> None:
    for found in (duplicates.find(made()), duplicates.near(made())):
        assert list(found) == []
        assert list(found.hints) == []


def test_exact_and_normalised_copies_name_the_first_line() -> None:
    dataset = made(
        ("Where is my card?", "delivery"),
        ("where is  my CARD", "delivery"),
        ("e\u0301 poss&iacute;vel\u00a0 pagar em tr\u00eas\u200b vezes", "Billing"),
    )
    found = [(f.line, f.kind, f.evidence) for f in duplicates.find(dataset)]
    assert found == [
        (6, "exact", "repeats line 1: “Where is my card? delivery”"),
        (7, "normalised", "repeats line 1: “where is my CARD delivery”"),
        (8, "normalised", "repeats line 5: “e\u0301 poss&iacute;vel pagar em três vezes Billing”"),
    ]
    assert list(duplicates.near(dataset)) == [], "what find tells of is told once"


def test_punctuation_inside_a_number_or_a_word_counts() -> None:
    pairs = [
        ("1.5", "x"),
        ("15", "x"),
        ("C#", "x"),
        ("C++", "x"),
        ("かき", "x"),
        ("がき", "x"),
        ("!", "x"),
        ("?", "x"),
    ]
    assert list(duplicates.find(Dataset.of([row(*pair) for pair in pairs]))) == []


def test_another_system_message_does_not_make_a_copy_new() -> None:
    other = row(*CLEAN[0], system="Be brief.")
    dataset = Dataset.of([*(row(*pair) for pair in CLEAN), other])
    assert duplicates.find(dataset).kinds == {"exact": 1}


def test_near_copies_name_a_kept_line_and_the_difference() -> None:
    dataset = made(("Has my parcel left your warehouse yet?", "delivery"))
    (found,) = duplicates.near(dataset)
    assert (found.row, found.kind) == (1, "near")
    assert found.evidence == "line 6, 0.91: “Has my parcel left [the|your] warehouse yet?”"
    assert list(duplicates.near(dataset, similarity=0.95)) == []


def test_an_id_is_that_of_both_rows_of_a_pair() -> None:
    def ids(find: Callable[[Dataset], Findings], kept: str, gone: str) -> list[str]:
        with accepting({}):
            return [f.id for f in find(made((kept, "x"), (gone, "x")))]

    gone = "What do I owe you for the parcel?"
    near = [ids(duplicates.near, f"{gone} {word}", gone) for word in ("Tell", "Tell", "Hello")]
    exact = [ids(duplicates.find, kept, gone) for kept in (gone, gone, gone.upper())]
    for same, again, other in (near, exact):
        assert len(same) == 1
        assert same == again != other


def test_the_same_prompt_with_another_label_is_no_duplicate() -> None:
    dataset = made(("Where is my card?", "lost"), ("Where is my card??", "cards"))
    assert list(duplicates.find(dataset)) == list(duplicates.near(dataset)) == []


def test_a_shared_instruction_does_not_make_prompts_alike() -> None:
    told = "Read the following message of a customer, and say which team should answer it: "
    words = [
        "invoice",
        "parcel",
        "login",
        "refund",
        "card",
        "roaming",
        "voucher",
        "camera",
        "battery",
        "seat",
    ]
    prompts = [f"{told}{a} {b}" for a in words for b in words if a < b]
    dataset = Dataset.of([row(p, "x", system="") for p in prompts])
    assert list(duplicates.near(dataset)) == []


ESSAY = (
    "You can reset your password on the sign-in page: choose “forgotten”, type the address "
    "that you registered with, and follow the link that we send to it within the hour."
)


@pytest.mark.parametrize(
    ("prompt", "reply", "words"),
    [
        (
            "The usual dose of {} at 40 kg?",
            "Give 200 mg of {} every 8 hours.",
            "ibuprofen losartan",
        ),
        ("Explique o que é a {} do banco.", "A {} é cobrada a cada mês do ano.", "tarifa multa"),
        ("我想从{}坐高铁去广州旅游两天", "从{}出发的高铁每天有三班到广州", "北京 上海"),
    ],
)
def test_rows_that_ask_and_answer_about_other_words_are_no_copies(
    prompt: str, reply: str, words: str
) -> None:
    def found(*replies: str) -> int:
        rows = [row(prompt.format(w), r) for w, r in zip(words.split(), replies, strict=True)]
        return len(duplicates.near(Dataset.of(rows), similarity=0.6))

    one, other = words.split()
    assert found(reply.format(one), reply.format(other)) == 0
    assert found(reply.format(one), reply.format(one)) == 1, "the answer is the same"


def test_prose_must_repeat_in_prompt_and_reply() -> None:
    pairs = [
        ("How do I reset my password?", ESSAY),
        ("How do I reset my password??", ESSAY.replace("within the hour", "within the day")),
        ("How do I reset my password?", "By post. " * 20),
        ("I cannot sign in any more, what can be done?", ESSAY),
    ]
    dataset = Dataset.of([row(*pair) for pair in pairs])
    (found,) = duplicates.near(dataset)
    assert found.row in (0, 1)
    assert list(duplicates.find(dataset)) == []
    assert [(f.row, f.kind) for f in duplicates.find(dataset).hints] == [
        (1, "prompt"),
        (2, "prompt"),
        (3, "reply"),
    ]


DOSE = "Take {} of it in the morning, with a glass of water, and ask the doctor before more."
MEANT = [("50 mg", "500 mg"), ("5 mg", "-5 mg"), ("a + b", "a - b"), ("x != y", "x = y"),
         ("much 👍", "much 👎"), ("avó", "avô"), ("1 23", "12 3")]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "count"), [*((*pair, 0) for pair in MEANT),
    ("some", "much", 1), ("one pill", "one já", 1), ("“it”", "it", 1)])  # fmt: skip
def test_long_replies_that_differ_in_signs_or_accents_are_no_copies(
    one: str, other: str, count: int
) -> None:
    for key in ("chosen", "rejected"):
        sides = {"chosen": ESSAY, "rejected": ESSAY} | {"prompt": "How much of it may I take?"}
        dataset = Dataset.of([sides | {key: DOSE.format(text)} for text in (one, other)])
        assert len(duplicates.find(dataset)) + len(duplicates.near(dataset)) == count


def test_what_is_asked_may_differ_in_a_digit() -> None:
    prompts = "My order 4711 has not arrived", "My order 4712 has not arrived"
    assert duplicates.near(Dataset.of([row(prompt, "delivery") for prompt in prompts]))


def test_what_is_asked_may_not_differ_in_an_accent() -> None:
    prompts = "Classifique esta palavra: avó", "Classifique esta palavra: avô"
    dataset = Dataset.of([row(prompt, "família") for prompt in prompts])
    assert list(duplicates.near(dataset)) == list(duplicates.find(dataset)) == []


SAID = {"role": "user", "content": "Where is it?"}
TURNS = [{**SAID, "content": text} for text in ("Where is it?", "Here?")]


@pytest.mark.parametrize(("one", "other"), [
    ([{**SAID, "name": "Ana"}], [{**SAID, "name": "Bob"}]),
    ([{**SAID, "name": "Ana"}], [SAID]),
    (TURNS, [{**SAID, "content": "Where is it?\nHere?"}]),
    ([SAID, {**TURNS[1], "role": "assistant"}, SAID], [SAID, TURNS[1], SAID]),
])  # fmt: skip
def test_a_name_and_the_parting_into_turns_are_rendered(one: list[Any], other: list[Any]) -> None:
    reply = {"role": "assistant", "content": "There."}
    dataset = Dataset.of([{"messages": [*told, reply]} for told in (one, other, one)])
    assert [(f.row, f.kind) for f in duplicates.find(dataset)] == [(2, "exact")]
    named = Dataset.of([{"messages": [*one, {**reply, "name": name}]} for name in "ab"])
    assert list(duplicates.find(named)) == list(duplicates.near(named)) == []


@pytest.mark.parametrize(("words", "hints"), [(12, []), (13, ["reply"])])
def test_a_reply_of_thirteen_words_is_no_set_phrase(words: int, hints: list[str]) -> None:
    reply = " ".join(ESSAY.split()[:words])
    prompts = "How do I reset my password?", "I cannot sign in any more, what can be done?"
    found = duplicates.find(Dataset.of([row(prompt, reply) for prompt in prompts]))
    assert [f.kind for f in found.hints] == hints


def test_pictures_and_tool_calls_are_part_of_an_example() -> None:
    def shown(url: str, city: str) -> dict[str, Any]:
        parts = [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        call = {
            "id": "1",
            "type": "function",
            "function": {"name": "find", "arguments": city},
        }
        answer = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {"messages": [{"role": "user", "content": parts}, answer]}

    different = Dataset.of([shown("a", "Rome"), shown("b", "Rome"), shown("a", "Oslo")])
    assert list(duplicates.find(different)) == list(duplicates.near(different)) == []
    assert duplicates.find(Dataset.of([shown("a", "Rome")] * 2)).kinds == {"exact": 1}


def test_a_chain_is_not_collapsed_and_nothing_near_is_left() -> None:
    words = [
        "alpha",
        "bravo",
        "charlie",
        "delta",
        "echo",
        "foxtrot",
        "golf",
        "hotel",
        "india",
        "juliet",
    ]
    chain = [" ".join(words[k:] + words[:k][::-1]) for k in range(9)]
    dataset = Dataset.of([row(p, "x") for p in chain])
    gone = duplicates.near(dataset).rows
    left = Dataset.of([row(p, "x") for k, p in enumerate(chain) if k not in gone])
    assert gone
    assert len(left) > 1
    assert list(duplicates.near(left)) == []


def ranked(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def test_one_reply_preferred_to_two_others_is_no_copy() -> None:
    asked = "How do I reset my password?"
    others = ("I do not know.", "By post, with a copy of a document and a stamp on the envelope.")
    rows = Dataset.of([ranked(asked, ESSAY, other) for other in others])
    labels = Dataset.of([ranked(asked, "login", other) for other in ("card", "cards")])
    for dataset in (rows, labels):
        assert list(duplicates.find(dataset)) == list(duplicates.near(dataset)) == []


def test_copies_and_near_copies_of_a_preference_are_found() -> None:
    asked, worse = "How do I reset my password?", ESSAY.replace("password", "PIN")
    copies = Dataset.of([ranked(asked, ESSAY, worse), ranked(asked, ESSAY, worse.upper())])
    assert duplicates.find(copies).kinds == {"normalised": 1}
    near = Dataset.of([ranked(asked, ESSAY, worse), ranked(asked, ESSAY, worse + " Or so.")])
    assert list(duplicates.find(near)) == []
    assert duplicates.near(near).rows == [0]


def test_a_preference_is_no_copy_of_the_same_row_without_one() -> None:
    asked = {"prompt": "How do I reset my password?", "completion": ESSAY}
    dataset = Dataset.of([asked, ranked(asked["prompt"], ESSAY, "I do not know.")])
    assert list(duplicates.find(dataset)) == []


def test_blank_prompts_are_not_the_same_prompt() -> None:
    replies = [" ".join(f"{word}{n}" for n in range(20)) for word in ("one", "two", "three")]
    pairs = zip(["", "", " "], replies, strict=True)
    assert duplicates.find(Dataset.of([row(*pair) for pair in pairs])).hints == ()
