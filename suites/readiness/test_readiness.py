"""Should this be fine-tuned at all? Each test is a reason for it, with its evidence; the last one
shows what they come to: prompt, retrieve, fine-tune, or not yet.

A reason that does not hold is advice: its test passes unless `[readiness] gate = true`. Reasons
that do not count are named in `leave_out`. What cannot be measured is asked for by its setting.
"""

from pathlib import Path

from tunegate_checks.readiness import Advice


def test_prompting_is_not_enough(advice: Advice) -> None:
    """A good prompt costs an afternoon, and changes in a minute.

    `prompt` names a model, such as a strategy with examples in its prompt. It is asked validation
    rows; what is learnt there says nothing about the test set yet. The reason holds where the upper
    bound of its score is below the limit, or it costs or takes more than is allowed.
    """
    assert advice.reason("prompting")


def test_it_is_no_question_of_knowledge(advice: Advice) -> None:
    """A tuned model learns how to answer, and invents what it does not know.

    Facts belong into documents that are looked up. The reason does not hold where `retrieval`, a
    strategy with documents, comes near the limit; where many replies name facts, it is asked for.
    """
    assert advice.reason("knowledge")


def test_the_task_is_stable(advice: Advice) -> None:
    """Between a change and the next model the answers are out of date: prices, rules, products."""
    assert advice.reason("stability")


def test_there_are_enough_examples(advice: Advice) -> None:
    """By kind of task, the least number and a good one: those of the data suite."""
    assert advice.reason("examples")


def test_it_pays(advice: Advice) -> None:
    """Training and retraining cost money, a long prompt does at each request.

    From the tokens measured, the prices and the requests of a month: after how many months it has
    paid, with the uncertainty of both. Where quality alone decides, leave this out.
    """
    assert advice.reason("pays")


def test_prompts_hold_nothing_confidential(advice: Advice) -> None:
    """Examples in a prompt go to whoever runs the model, with each request."""
    assert advice.reason("confidentiality")


def test_there_is_one_tone_to_learn(advice: Advice) -> None:
    """A consistent form is learnt where the examples have it; prompted answers are beside it."""
    assert advice.reason("tone")


def test_verdict(advice: Advice, project_root: Path) -> None:
    """What the reasons come to; it is in `.tunegate/readiness.json` too, for programs."""
    assert advice.conclude(project_root)
