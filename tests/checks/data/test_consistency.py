"""What varies without meaning is named; what is the same everywhere is silent."""

import json
from typing import Any

import pytest

from tunegate import Dataset
from tunegate.config.schema import Config
from tunegate.data.dataset import Reading
from tunegate.results.labels import json_field
from tunegate_checks.data import balance, consistency, size


def dataset(*replies: str, system: str | list[str] = "Be brief.", split: str = "train") -> Dataset:
    systems = [system] * len(replies) if isinstance(system, str) else system
    return Dataset.of(
        [
            {
                "messages": [{"role": "system", "content": s}] * bool(s)
                + [
                    {"role": "user", "content": f"Question {i}"},
                    {"role": "assistant", "content": r},
                ]
            }
            for i, (r, s) in enumerate(zip(replies, systems, strict=True))
        ],
        split,
    )


def test_one_system_prompt_is_silent() -> None:
    assert not consistency.system_prompt(dataset("a", "b"))
    assert not consistency.system_prompt(dataset("a", "b", system=""))
    assert not consistency.system_prompt(Dataset([]))


def test_tools_that_a_prompt_lists_are_no_other_prompt() -> None:
    def tools(name: str) -> str:
        return json.dumps([{"name": name, "description": "Calls.", "parameters": {}}])

    told = [f"Call one of {tools(name)}." for name in "abcd"]
    own = dataset(*"abcd", system=told)
    assert not consistency.system_prompt(own)
    assert not consistency.across(own, dataset("x", "y", system=[told[3], told[1]]))
    (finding,) = consistency.system_prompt(dataset(*"abc", system=[told[0]] * 2 + [told[1]]))
    assert finding.kind == "system prompt"
    assert not consistency.across(own, dataset("x", system=told[3]))
    assert consistency.across(own, dataset("x", system=f"Call {tools('a')}."))
    assert consistency.across(dataset("a", "b", system=told[0]), dataset("x", system=told[1]))


def test_each_other_system_prompt_is_a_finding_with_rows_and_difference() -> None:
    systems = ["Be brief."] * 3 + ["Be brief", "Be  brief.", "Be brief"]
    result = consistency.system_prompt(dataset(*"abcdef", system=systems))
    assert [(f.row, f.kind) for f in result] == [(3, "system prompt"), (4, "system prompt")]
    assert "2 of 6 rows (line 4, 6) have another: from character 9" in result[0].evidence
    assert "from character 4 on 'Be  brief.' instead of 'Be brief.'" in result[1].evidence


def test_a_missing_system_prompt_is_a_finding() -> None:
    (finding,) = consistency.system_prompt(dataset("a", "b", "c", system=["Be brief."] * 2 + [""]))
    assert (finding.row, finding.kind) == (2, "no system prompt")
    assert "1 of 3 rows (line 3) have none; most have 'Be brief.'" in finding.evidence


def test_what_was_accepted_of_one_row_does_not_hold_for_more_of_them() -> None:
    """An id is made of what a finding is about: all rows with that prompt, and the one in use."""
    one, more = (dataset(*prompts, system="Be brief.") for prompts in ("a", "ab"))
    abouts = {
        f.fingerprint for rows in (one, more) for f in consistency.inference(rows, "Be brief!")
    }
    abouts |= {f.fingerprint for f in consistency.inference(one, "Be kind.")}
    assert "" not in abouts
    assert len(abouts) == 3


def test_the_other_split_needs_the_same_system_prompt() -> None:
    train = dataset("a", "b")
    assert not consistency.across(train, dataset("c", split="test"))
    (finding,) = consistency.across(train, dataset("c", system="Be brief!", split="test"))
    assert "test has another than train: from character 9" in finding.evidence
    (finding,) = consistency.across(train, dataset("c", system="", split="test"))
    assert "no text" in finding.evidence


LABELS = ["billing"] * 30 + ["shipping"] * 30


def test_clean_labels_are_silent() -> None:
    assert not consistency.output_format(dataset(*LABELS), task="classification")


@pytest.mark.parametrize(
    "slip",
    ["Shipping", "SHIPPING ", "shipping.", "shiping", "shippnig", "\nshipping", "It is: shipping"],
)
def test_a_near_miss_is_named_with_the_label_it_was_meant_to_be(slip: str) -> None:
    result = consistency.output_format(dataset(*LABELS, slip), task="classification")
    assert [(f.row, f.kind) for f in result] == [(60, "near miss")]
    assert f"{slip!r} for 'shipping' (30 rows)" in result[0].evidence


@pytest.mark.parametrize("label", ["returns", "sales", "shipping abroad", "x"])
def test_a_rare_label_of_its_own_is_no_near_miss(label: str) -> None:
    assert not consistency.output_format(dataset(*LABELS, label), task="classification")


def test_free_text_is_no_set_of_labels() -> None:
    texts = dataset(*[f"The answer to this is number {i}" for i in range(30)])
    (found,) = consistency.output_format(texts, task="classification")
    assert (found.kind, found.row) == ("labels", None)
    assert found.evidence.endswith('but texts of about 7 words: is the task "text"?')
    (again,) = consistency.labels(texts, texts)
    assert again.evidence == f"training has no classes: {found.evidence}"
    assert not consistency.output_format(texts, task="qa")


JSON = {"team": "billing", "score": 1, "who": {"name": "Ana"}}


def replies(*changed: Any) -> Dataset:
    texts = [c if isinstance(c, str) else json.dumps(c) for c in changed]
    return dataset(*[json.dumps(JSON)] * 5, *texts)


@pytest.mark.parametrize(
    "same", [JSON, {**JSON, "score": 0.5}, {**JSON, "team": None}, {**JSON, "who": None}]
)
def test_json_of_one_form_is_silent(same: Any) -> None:
    assert not consistency.output_format(replies(same))


@pytest.mark.parametrize(
    ("other", "kind", "evidence"),
    [
        ({"team": "billing", "score": 1, "who": {}}, "missing key", "the reply has no who.name"),
        ({"team": "billing", "score": 1}, "missing key", "the reply has no who"),
        ({**JSON, "who": "Ana"}, "type", "who is a text; in most replies it is an object"),
        ({**JSON, "more": {"a": {"b": 1}}}, "unknown key", "the reply has more; most have no"),
        ({**JSON, "a.b\n": 1}, "unknown key", "the reply has 'a·b\\n'; most have no"),
        ({**JSON, "Team": "x"}, "unknown key", "the reply has Team; most have no such key"),
        ({**JSON, "score": "1"}, "type", "score is a text; in most replies it is a number"),
        ("billing", "not JSON", "is no JSON object"),
        ("```json\n{}\n```", "not JSON", "stands in a ``` fence"),
        ('{"team": NaN}', "not JSON", "is no JSON object"),
        ("[1]", "not JSON", "is no JSON object"),
    ],
)
def test_json_of_another_form_is_named(other: Any, kind: str, evidence: str) -> None:
    (finding,) = consistency.output_format(replies(other))
    assert (finding.row, finding.kind) == (5, kind)
    assert evidence in finding.evidence


def slots(*names: str) -> str:
    return json.dumps({"intent": "book", **dict.fromkeys(names, "x")})


def test_keys_that_some_replies_have_are_optional() -> None:
    half, few, one = slots("city", "date"), slots("city", "party size"), slots("city", "sky")
    found = consistency.output_format(
        dataset(*[half] * 12, *[few] * 5, slots("date"), one, slots())
    )
    assert [(f.row, f.kind) for f in found] == [
        (17, "missing key"),
        (18, "unknown key"),
        (19, "missing key"),
    ]
    assert [f.evidence.partition(":")[0] for f in found.hints] == [
        "not all replies have 'party size', date"
    ]
    assert not consistency.output_format(dataset(*[half] * 12, *[few] * 5)).kinds


def test_the_faults_of_a_reply_are_one_finding() -> None:
    (finding,) = consistency.output_format(replies({"team": 1, "more": 1}))
    assert finding.kind == "missing key"
    assert finding.evidence == "the reply has no score; most have one (and 3 more)"


@pytest.mark.parametrize("n", [1, 4, 12])
def test_a_key_that_is_misspelled_is_told_however_often(n: int) -> None:
    right, wrong = slots("destination"), slots("destinaton")
    found = consistency.output_format(dataset(*[right] * 20, *[wrong] * n))
    assert len(found) == n
    assert n < 12 or "the reply has destinaton; most have no such key: is it destination?" in {
        f.evidence for f in found
    }
    both = slots("destination", "destinations")
    assert not consistency.output_format(dataset(*[right] * 20, *[both] * 12))


def test_keys_that_are_data_are_no_faults() -> None:
    orders = [json.dumps({"id": n, "items": {f"thing {n}": 1, f"other {n}": 2}}) for n in range(20)]
    found = consistency.output_format(dataset(*orders))
    assert not found
    assert not found.hints


def test_a_label_never_seen_in_training_is_named_with_the_nearest_that_was() -> None:
    train, test = dataset(*LABELS), dataset("billing", "shiping", "shiping", "new", split="test")
    result = consistency.labels(train, test)
    assert [(f.row, f.kind) for f in result] == [(1, "unseen label"), (3, "unseen label")]
    assert "'shiping' (2 rows) is never seen in training; is it 'shipping'?" in result[0].evidence
    assert "is it" not in result[1].evidence
    assert ["'shipping'" in f.evidence for f in result.hints] == [True]


def test_labels_that_were_all_seen_are_silent() -> None:
    result = consistency.labels(dataset(*LABELS), dataset("billing", "shipping", split="test"))
    assert not result
    assert not result.hints


def test_a_value_that_is_null_in_all_other_replies_fits() -> None:
    empty, filled = json.dumps({"note": None}), json.dumps({"note": "late"})
    assert not consistency.output_format(dataset(*[empty] * 5, filled))


def test_the_system_prompt_of_inference_is_that_of_every_row() -> None:
    assert not consistency.inference(dataset("a", "b"), "Be brief.")
    mixed = dataset("a", "b", "c", system=["Be brief.", "", "Be brief"])
    missing, short = consistency.inference(mixed, "Be brief.")
    assert (missing.row, short.row) == (1, 2)
    assert missing.evidence == (
        "1 of 3 rows have another than inference: from character 1 on no text instead of"
        " 'Be brief.'"
    )
    assert "1 of 3 rows have another than inference: from character 9" in short.evidence


def test_white_space_at_the_end_of_the_prompt_of_inference_is_a_finding() -> None:
    (finding,) = consistency.inference(dataset("a"), "Be brief.\n")
    assert finding.evidence.endswith("; the white space around the latter is all that differs")
    (finding,) = consistency.inference(dataset("a", system=["Be brief.\n"]), "Be brief.")
    assert finding.evidence.endswith("; the white space around the former is all that differs")


def ruled(*replies: Any, rule: str = "team") -> Dataset:
    texts = [r if isinstance(r, str) else json.dumps(r) for r in replies]
    rows = [{"messages": [{"role": "user", "content": f"Q{n}"},
                          {"role": "assistant", "content": t}]}
            for n, t in enumerate(texts)]  # fmt: skip
    return Dataset.of(rows, "train", Reading(json_field(rule)) if rule else Reading())


def test_labels_in_json_are_spelled_one_way_and_every_reply_has_one() -> None:
    def reply(team: Any, n: int) -> dict[str, Any]:
        return {"team": team, "why": f"reason {n}"}

    usual = [reply(("billing", "shipping")[n % 2], n) for n in range(60)]
    odd = [reply("shiping", 60), reply(None, 61), "shipping", {"why": "reason 63"}]
    found = consistency.output_format(ruled(*usual, *odd), task="classification")
    kinds = [(60, "near miss"), (61, "no label"), (62, "not JSON"), (63, "missing key")]
    assert [(f.row, f.kind) for f in found] == kinds
    assert "JSON field team" in found[1].evidence
    assert not consistency.output_format(ruled(*usual), task="classification")


def test_where_replies_are_json_and_no_rule_is_set_a_hint_says_which_line_to_write() -> None:
    teams = [
        {"id": n, "team": "abc"[n % 3], "urgent": n % 2 == 0, "why": f"r{n}"} for n in range(20)
    ]
    for rule, task, hinted in (("", "classification", True), ("team", "classification", False),
                               ("", "qa", False)):  # fmt: skip
        found = consistency.output_format(ruled(*teams, rule=rule), task=task)
        assert list(found) == []
        assert [f.evidence.endswith('label = "json:team"') for f in found.hints] == [True] * hinted
    plain = ruled(*teams, rule="")
    for told in (balance.find(plain), size.find(plain, task="classification"),
                 consistency.labels(plain, plain)):  # fmt: skip
        assert [f.evidence.endswith('label = "json:team"') for f in told] == [True]


def test_labels_of_json_are_those_that_training_has() -> None:
    train = ruled(*[{"team": "ab"[n % 2], "n": n} for n in range(6)])
    test = ruled({"team": "a", "n": 9}, {"team": "c", "n": 9})
    assert [(f.row, f.kind) for f in consistency.labels(train, test)] == [(1, "unseen label")]
    assert not balance.find(train, rarest=1.0)
    assert len(size.find(train, task="classification")) == 2


def test_the_labels_of_a_set_are_counted_each() -> None:
    reading = Config.model_validate({"task": "multilabel"}).reading
    replies = ["credit, late", "late", "late, credit", "[]", "lost"] * 8

    def tagged(*texts: str) -> Dataset:
        rows = [{"prompt": f"Q{n}", "completion": text} for n, text in enumerate(texts)]
        return Dataset.of(rows, "train", reading)

    train, test = tagged(*replies), tagged("late, new", "credit")
    assert [e.labels for e in train][:4] == [["credit", "late"], ["late"], ["credit", "late"], []]
    assert [f.evidence[:5] for f in consistency.labels(train, test)] == ["'new'"]
    assert not consistency.output_format(train, task="multilabel")
    slipped = consistency.output_format(tagged(*replies * 2, "late, crdeit"), task="multilabel")
    assert [(f.row, f.kind) for f in slipped] == [(80, "near miss")]
    assert len(size.find(train, task="multilabel")) == 3
    assert [f.evidence[:12] for f in balance.find(train, rarest=1.0)] == ["class 'lost'"]


@pytest.mark.parametrize(
    ("task", "reply", "found"),
    [
        ("extraction", {"content": '{"a": 1}'}, {}),
        ("extraction", {"content": "a is 1"}, {"task": 1}),
        ("tools", {"content": "a is 1"}, {"task": 1}),
        ("tools", {"content": None, "tool_calls": [{"function": {"name": "f"}}]}, {}),
    ],
)
def test_rows_of_another_task_are_told(task: str, reply: dict[str, Any], found: Any) -> None:
    rows = [{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", **reply}]}]
    assert consistency.output_format(Dataset.of(rows), task=task).kinds == found


def test_documents_in_system_messages_are_no_other_system_prompts() -> None:
    def asked(systems: list[str], split: str) -> Dataset:
        told = ({"role": "user", "content": "Good?"}, {"role": "assistant", "content": "yes"})
        rows = [{"messages": [{"role": "system", "content": s}, *told]} for s in systems]
        return Dataset.of(rows, split)

    documents = [f"Review {n}: fine, {n} times" for n in range(60)]
    train, test = asked(documents[:40], "train"), asked(documents[40:], "test")
    assert not consistency.system_prompt(train)
    assert not consistency.across(train, test)
    usual = asked(["Be brief."] * 30 + documents[:10], "train")
    assert len(consistency.system_prompt(usual)) == 10


REPLIES: dict[str, list[dict[str, Any]]] = {
    "classification": [{"content": "ab"[n % 2]} for n in range(20)],
    "extraction": [{"content": json.dumps({"total": n, "to": f"x{n}"})} for n in range(20)],
    "tools": [
        {"content": None, "tool_calls": [{"function": {"name": f"f{n}"}}]} for n in range(20)
    ],
    "text": [{"content": f"This is the long answer to number {n}"} for n in range(20)],
}


@pytest.mark.parametrize("likely", REPLIES)
@pytest.mark.parametrize(
    "task", ["classification", "multilabel", "extraction", "tools", "qa", "text", "code", "chat"]
)
def test_replies_of_another_task_are_told_once(task: str, likely: str) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"Q{n}"}, {"role": "assistant", **reply}]}
        for n, reply in enumerate(REPLIES[likely])
    ]
    reading = Config.model_validate({"task": task}).reading
    found = consistency.output_format(Dataset.of(rows, "train", reading), task=task)
    told = [f.evidence for f in (*found, *found.hints)]
    fits = (task, likely) in {("multilabel", "classification"), ("qa", "text"), ("chat", "text"),
                              ("code", "text"), ("qa", "extraction"), ("code", "extraction"),
                              ("chat", "tools"), (likely, task)}  # fmt: skip
    if task == "classification" and likely == "extraction":  # the label may be a field
        assert told == ["20 different replies in 20 rows are no set of labels"]
    else:
        assert [f'is the task "{likely}"?' in one for one in told] == [True] * (not fits)


PROGRAMS = {
    "python": "def f(x):\n    # adds one.\n    return x + {n}",
    "fenced": "Here it is:\n```sh\nls -la {n}\n```\nThis lists all files of the folder.",
    "sql": "SELECT name FROM users WHERE age > {n} ORDER BY name;",
    "shell": "find . -name report{n} -newer last -print",
    "prolog": "parent(tom, child{n}).",
}


@pytest.mark.parametrize("form", PROGRAMS)
def test_replies_in_code_are_no_prose(form: str) -> None:
    texts = dataset(*[PROGRAMS[form].replace("{n}", str(n)) for n in range(30)])
    assert not consistency.output_format(texts, task="code").hints


@pytest.mark.parametrize(
    "text",
    [
        "The function number {n} adds one; it returns the sum.",
        "Sim: há, ao todo, {n} funções (boas).",
    ],
)
def test_of_code_it_is_told_that_the_replies_are_prose(text: str) -> None:
    texts = dataset(*[text.replace("{n}", str(n)) for n in range(30)])
    (hint,) = consistency.output_format(texts, task="code").hints
    assert hint.evidence == 'most replies are prose; is the task "text"?'


@pytest.mark.parametrize(("calls", "task"), [(11, "tools"), (10, "text"), (8, "text")])
def test_most_replies_say_which_task_it_is(calls: int, task: str) -> None:
    replies = REPLIES["tools"][:calls] + REPLIES["text"][calls:]
    rows = [
        {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", **reply}]}
        for reply in replies
    ]
    assert consistency.likely_task(Dataset.of(rows), is_json=False) in (task, "")
    assert (consistency.likely_task(Dataset.of(rows), is_json=False) == "tools") is (calls == 11)


@pytest.mark.parametrize(("n", "lines"), [(5, "4, 5, 6, 7, 8)"), (6, "4, 5, 6, 7, 8, ...)")])
def test_five_lines_of_another_system_prompt_are_named(n: int, lines: str) -> None:
    systems = ["Be brief."] * 3 + ["Be kind."] * n + ["Be brief."] * 6
    (found,) = consistency.system_prompt(dataset(*["a"] * len(systems), system=systems))
    assert f"{n} of {len(systems)} rows (line {lines} have another: " in found.evidence


@pytest.mark.parametrize(("n", "found"), [(19, 18), (20, 0)])
def test_from_twenty_rows_on_system_messages_can_be_documents(n: int, found: int) -> None:
    documents = [f"Review {k}: fine, {k} times" for k in range(60)]
    rows = dataset(*["a"] * n, system=documents[:n])
    assert len(consistency.system_prompt(rows)) == found
    train = dataset(*["a"] * 30, system=documents[30:])
    assert len(consistency.across(train, rows)) == bool(found)
    assert len(consistency.across(rows, train)) == bool(found)


@pytest.mark.parametrize(
    ("n", "different", "told"), [(20, 10, False), (20, 11, True), (19, 19, False), (20, 20, True)]
)
def test_labels_of_which_more_than_half_differ_are_no_classes(
    n: int, different: int, told: bool
) -> None:
    rows = dataset(*[f"label{k % different}" for k in range(n)])
    said = f"{different} different replies in {n} rows are no set of labels"
    assert consistency.no_classes(rows) == (said if told else "")


@pytest.mark.parametrize(("words", "told"), [(5, False), (6, True)])
def test_replies_of_more_than_five_words_are_texts(words: int, told: bool) -> None:
    rows = dataset(*[f"{'w ' * (words - 1)}n{k}" for k in range(20)])
    assert (f'of about {words} words: is the task "text"?' in consistency.no_classes(rows)) is told
    assert consistency.likely_task(rows, is_json=False) == ("text" if told else "")


@pytest.mark.parametrize(
    ("counts", "field"),
    [((1, 2), "b"), ((2, 1), "a"), ((6, 2), "a"), ((7, 2), "b"), ((7, 1), ""), ((2, 6), "b")],
)
def test_the_field_of_the_label_has_the_most_values_of_three_rows_each(
    counts: tuple[int, int], field: str
) -> None:
    rows = [{"a": f"x{k % counts[0]}", "b": k % counts[1], "id": k} for k in range(20)]
    said = consistency.no_classes(dataset(*map(json.dumps, rows)))
    assert said.startswith("20 different replies in 20 rows are no set of labels")
    assert said.partition("write label = ")[2] == (field and f'"json:{field}"')


@pytest.mark.parametrize(("prose", "told"), [(15, False), (16, True)])
def test_more_than_half_of_the_replies_are_prose(prose: int, told: bool) -> None:
    texts = [f"The function number {n} adds one to it" + "." * (n < prose) for n in range(30)]
    assert bool(consistency.output_format(dataset(*texts), task="code").hints) is told


@pytest.mark.parametrize(("lacking", "told"), [(10, False), (11, True)])
def test_where_most_replies_have_no_label_another_task_is_named(lacking: int, told: bool) -> None:
    replies = ["ab"[n % 2] for n in range(lacking)] + ['{"team": "a"}'] * (20 - lacking)
    said = consistency.lacks_labels(ruled(*replies))
    known = f"{lacking} of 20 replies have no label (label: JSON field team) but are a few labels"
    assert said.partition(",")[0] == (known if told else "")
