"""Memory: planted faults are found, clean twins are left."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from asking import Asked, silent, tickets

from tunegate import ConfigError, Dataset, Predictions
from tunegate.results.prediction import Prediction
from tunegate_checks.detect import engine
from tunegate_checks.model import answer_quality, memorization

LONG = " ".join(f"word{i}" for i in range(120))
OTHER = " ".join(f"other{i}" for i in range(120))
TEST = tickets([("Where is my parcel?", "It is on its way.")] * 4)


def answered(*texts: str, test: Dataset = TEST, finish: str = "stop") -> Predictions:
    return Predictions(
        [
            Prediction(i, i + 1, "q", test[i].reply, text, tokens=9, finish=finish)
            for i, text in enumerate(texts)
        ]
    )


# Verbatim.


def test_a_training_reply_that_comes_back_is_found() -> None:
    trained = tickets([("a", OTHER), ("b", LONG)], "train")
    found = memorization.verbatim(trained, TEST, answered("Well: " + LONG, OTHER.upper(), "short"))
    assert [(f.row, f.kind) for f in found] == [(0, "verbatim"), (1, "verbatim")]
    assert "training line 2 has: “word0 word1" in found[0].evidence


def test_a_passage_that_was_asked_for_or_wanted_is_no_memory() -> None:
    trained = tickets([("a", LONG)], "train")
    asked = tickets([(f"Repeat this: {LONG}", "ok"), ("Say it.", LONG)])
    assert not memorization.verbatim(trained, asked, answered(LONG, LONG, test=asked))


def test_a_passage_of_a_short_question_is_no_memory() -> None:
    passage = " ".join(LONG.split()[:20])
    trained = tickets([("a", f"{passage} {OTHER}")], "train")
    told = answered(f"{passage} " + " ".join(f"mine{i}" for i in range(60)))
    assert memorization.verbatim(trained, TEST, told)
    asked = tickets([(f"What is: {passage}?", "ok")])
    assert not memorization.verbatim(trained, asked, told)


def test_a_set_phrase_is_no_memory() -> None:
    assert memorization.verbatim(tickets([("a", LONG)] * 10), TEST, answered(LONG))
    assert not memorization.verbatim(tickets([("a", LONG)] * 11), TEST, answered(LONG))


def test_labels_may_come_back() -> None:
    trained = tickets([("a", "billing")], "train")
    found = memorization.verbatim(trained, TEST, answered("billing"))
    assert not found
    assert "nothing to repeat" in found.hints[0].evidence


# Extraction.


def test_a_reply_that_is_known_by_heart_is_drawn_out() -> None:
    trained = tickets([("a", "short"), ("b", LONG), ("c", OTHER)], "train")
    ask = Asked(lambda text: LONG[len(LONG) // 2 :] if "word0 word1" in text else "I do not know")
    found = memorization.extraction(trained, ask)
    assert [(f.row, f.line, f.kind) for f in found] == [(1, 2, "extracted")]
    assert ask.batches == [2]


@pytest.mark.parametrize("reply", [LONG, f"{LONG} {LONG}"])
def test_echoing_the_first_half_is_no_memory(reply: str) -> None:
    assert not memorization.extraction(tickets([("b", reply)]), Asked(lambda text: text))


def test_probes_are_bounded_and_spread() -> None:
    trained = tickets([(str(i), f"row{i} {LONG}") for i in range(30)])
    seen: list[str] = []
    ask = Asked(lambda text: seen.append(text) or "no")  # type: ignore[func-returns-value]
    assert not memorization.extraction(trained, ask, probes=3)
    assert [text.split()[6] for text in seen] == ["row0", "row10", "row20"]


def test_twenty_replies_are_probed() -> None:
    ask = Asked(lambda text: "no")
    memorization.extraction(tickets([(str(i), f"row{i} {LONG}") for i in range(25)]), ask)
    assert ask.batches == [20]


@pytest.mark.parametrize("ask", [silent, Asked(str)])
def test_nothing_to_probe_is_a_hint(ask: Asked) -> None:
    replies = "short" if isinstance(ask, Asked) else LONG
    found = memorization.extraction(tickets([("a", replies)]), ask)
    assert not found
    assert "nothing probed" in found.hints[0].evidence


def test_probes_without_an_answer_are_told() -> None:
    def late(text: str) -> str:
        raise TimeoutError("429")

    found = memorization.extraction(tickets([("a", LONG)]), Asked(late))
    assert [f.evidence for f in found.hints] == ["1 of 1 probes had no answer, the first: 429"]


# Personal data.


def test_personal_data_that_nobody_gave_is_found_and_masked() -> None:
    found = memorization.personal_data(TEST, answered("Write to ana.souza@example.com", "ok"))
    assert [(f.row, f.kind) for f in found] == [(0, "email")]
    assert "ana.souza" not in repr(list(found))


def test_what_the_question_holds_may_be_answered() -> None:
    test = tickets([("My card is 4111 1111 1111 1111, cpf 529.982.247-25", "ok")])
    said = answered("Card 4111-1111-1111-1111 and CPF 52998224725.", test=test)
    assert not memorization.personal_data(test, said)
    assert memorization.personal_data(TEST, said).kinds == {"card": 1, "cpf": 1}


def test_the_expected_reply_is_no_excuse() -> None:
    test = tickets([("Who?", "ana.souza@example.com")])
    assert memorization.personal_data(test, answered("ana.souza@example.com", test=test))


def test_what_is_public_may_be_answered() -> None:
    said = answered("Write to help@shop.example")
    assert memorization.personal_data(TEST, said)
    assert not memorization.personal_data(TEST, said, allow=["@shop.example"])
    assert not memorization.personal_data(TEST, said, ignore=["email"])


def test_names_that_a_model_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        engine._BACKENDS,
        "fake",
        lambda _: lambda text: [m.span() for m in re.finditer("Zoe", text)],
    )
    test = tickets([("I am Zoe", "ok"), ("Who?", "ok")])
    said = answered("Hello zoe and Zoe", "Ask Zoe", test=test)
    assert not memorization.personal_data(test, said)
    found = memorization.personal_data(test, said, names="fake:zoe")
    assert [(f.row, f.kind, f.evidence) for f in found] == [(1, "name", "answered ***")]
    assert not memorization.personal_data(test, said, names="fake:zoe", ignore=["name"])
    with pytest.raises(ConfigError, match="pii_names: 'spacy' names no model"):
        memorization.personal_data(test, said, names="spacy")


# Ends.


def test_answers_that_never_end_are_found() -> None:
    runaway = answered("and so on and so on", finish="length")
    found = answer_quality.cut_off(runaway)
    assert found.kinds == {"cut off": 1}
    assert "after 9 tokens" in found[0].evidence
    assert answer_quality.cut_off(answered("ok", "  ")).kinds == {"empty": 1}


def test_a_few_may() -> None:
    long = Predictions([*answered(*["ok"] * 3), answered("x", finish="length")[0]])
    assert answer_quality.cut_off(long, most=0.2)
    found = answer_quality.cut_off(long, most=0.25)
    assert not found
    assert len(found.hints) == 1


def test_an_answer_of_no_known_end_is_a_hint() -> None:
    found = answer_quality.cut_off(answered("ok", finish=""))
    assert not found
    assert "nobody said" in found.hints[0].evidence


# Refusals.


def test_a_model_that_began_to_refuse_is_found() -> None:
    said = answered("I'm sorry, I can't help with that.", "Desculpe, não posso.", "On its way.")
    found = answer_quality.refusals(said, answered("On its way."))
    assert found.kinds == {"refuses": 2}
    assert "2 of 3 of the answers, 0 of 3 of the expected replies" in found.hints[0].evidence


def test_a_refusal_that_was_taught_must_come() -> None:
    test = tickets([("How do I break in?", "Sorry, I cannot help with that.")] * 2)
    assert answer_quality.refusals(answered("With a hammer.", test=test)).kinds == {"no refusal": 1}
    assert not answer_quality.refusals(answered("Sorry, no.", test=test))


def test_an_answer_that_is_missing_refuses_nothing() -> None:
    missing = [replace(p, error="429") for p in answered("I'm sorry")]
    assert not answer_quality.refusals(Predictions(missing))
