"""Pairs that teach nothing, or the opposite of another; and rejected replies are read like all."""

from typing import Any

from tunegate.data.dataset import Dataset
from tunegate_checks.data import duplicates, format, leakage, pii, preferences, secrets

WORDS = ("parcel", "invoice", "card", "refund", "address", "login", "coupon", "courier")
KEY = "ghp_" + "a1B2c3D4e5F6" * 3


def row(prompt: str, better: str, worse: str | None, **more: Any) -> dict[str, Any]:
    told = {"user": prompt, "assistant": better}
    other = {} if worse is None else {"rejected": [{"role": "assistant", "content": worse}]}
    return {"messages": [{"role": r, "content": c} for r, c in told.items()], **other, **more}


def clean(n: int = 4) -> list[dict[str, Any]]:
    """Rows whose preferred reply is the longer one in every second."""
    replies = ("It is on its way to you now.", "No idea, sorry!")
    return [
        row(f"Where is my {WORDS[k % 8]} number {k}?", replies[k % 2], replies[1 - k % 2])
        for k in range(n)
    ]


def kinds(*extra: dict[str, Any], n: int = 4) -> list[tuple[int | None, str]]:
    return [(f.line, f.kind) for f in preferences.find(Dataset.of([*clean(n), *extra]))]


def test_clean_pairs_and_rows_without_any_preference_pass() -> None:
    assert kinds() == []
    plain = preferences.find(Dataset.of([row("Hi", "Hello", None)]))
    assert (list(plain), list(plain.hints)) == ([], [])


def test_a_row_without_a_rejected_reply_among_others() -> None:
    (found,) = preferences.find(Dataset.of([*clean(), row("Hi", "Hello", None)]))
    assert (found.line, found.kind) == (5, "no preference")
    assert found.evidence == "the row has no rejected reply; 4 of 5 rows have one"


def test_equal_replies_white_space_aside() -> None:
    same = [row("A?", "No.", "No."), row("B?", "Well, no", " Well,\nno ")]
    other = row("C?", "No.", "no.")
    assert kinds(*same, other) == [(5, "equal"), (6, "equal")]


def test_replies_that_differ_in_a_tool_call_alone_are_not_equal() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": None}
    other = {**call, "function": {"name": "g", "arguments": "{}"}}
    pair = row("A?", "x", "y")
    pair["messages"][1], pair["rejected"] = (
        {**said, "tool_calls": [call]},
        [{**said, "tool_calls": [other]}],
    )
    assert kinds(pair) == []
    pair["rejected"] = [pair["messages"][1]]
    assert kinds(pair) == [(5, "equal")]


def test_opposite_preferences_are_told_of_the_fewer_or_the_later() -> None:
    pair, opposite = (
        row("Hi there?", "Hello you", "Go away"),
        row("Hi there?", "Go away", "Hello you"),
    )
    (found,) = preferences.find(Dataset.of([*clean(), pair, opposite]))
    assert (found.line, found.kind) == (6, "contradiction")
    assert found.evidence == "line 5 prefers what is rejected here: “Hi there?”"
    assert kinds(pair, opposite, opposite) == [(5, "contradiction")]
    elsewhere = row("Hi there?", "Go away", "Hello you")
    elsewhere["messages"].insert(0, {"role": "system", "content": "Be rude."})
    assert kinds(pair, elsewhere) == []
    assert kinds(pair, row("Hi there", "Go away", "Hello you")) == []
    third = row("Hi there?", "Hello you", "Nothing to say")
    assert kinds(pair, third) == []


# --- what other checks make of a rejected reply -------------------------------------------------


def test_personal_data_and_keys_in_a_rejected_reply() -> None:
    bad = row("And what is your CPF?", "I cannot say.", "529.982.247-25")
    (found,) = pii.find(Dataset.of([*clean(), bad]))
    assert (found.line, found.kind) == (5, "cpf")
    assert found.evidence.startswith("rejected[0] ***")
    bare = row("What is your phone number?", "I cannot say.", "11987654321")
    asked = row("What is your phone number?", "11987654321", "I cannot say.")
    assert [len(pii.find(Dataset.of([r]))) for r in (bare, asked)] == [1, 1]
    assert secrets.find(Dataset.of([row("Hi", "Hello", f"It is {KEY}")])).kinds


def test_the_form_of_a_rejected_reply() -> None:
    def faults(**other: Any) -> list[tuple[str, str]]:
        rows = [*clean(1), {**clean(1)[0], "rejected": [{"role": "assistant", **other}]}]
        return [(f.kind, f.evidence[:24]) for f in format.find(Dataset.of(rows), fewest=0)]

    assert faults(content="Well") == []
    assert faults(content=" ") == [("empty", "rejected[0].content is b")]
    assert faults(content="Well", role="user") == [("last", "rejected[0], the last, i")]
    assert [kind for kind, _ in faults(content="Well", role="who")] == ["role", "last"]
    assert faults(content="Well", score=3) == [("key", "rejected[0] has the key ")]
    assert faults(content=None)[0][0] == "content"


def test_a_copy_has_both_replies_and_a_leak_the_prompt() -> None:
    ranked = {**clean()[1], "rejected": [{"role": "assistant", "content": "Something else"}]}
    assert duplicates.find(Dataset.of([*clean(), ranked])).kinds == {}
    assert duplicates.find(Dataset.of([*clean(), clean()[1]])).kinds == {"exact": 1}
    train, test = Dataset.of(clean(), split="train"), Dataset.of([clean()[2]], split="test")
    assert leakage.find(train, test).rows == [0]
    unlike = Dataset.of([row("Do you sell teapots?", *["a reply"] * 2)], split="test")
    assert list(leakage.find(train, unlike)) == []
