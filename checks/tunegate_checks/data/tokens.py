"""Tokens: does each answer fit, is there something to learn in each row, and how much is it all?

    assert not tokens.find(dataset, Recipe("path/to/base", max_length=1024))

Counted is with the tokenizer and chat template of the model that will be trained. A fixture of the
suites, `recipe`, holds what the configuration says of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunegate.checking import check
from tunegate.dataset import Dataset, Example
from tunegate.encode import Unfit
from tunegate.extras import install
from tunegate.findings import Finding
from tunegate.openai_tokens import Counted
from tunegate.preferences import rejected, replies
from tunegate.recipe import Recipe
from tunegate.template import Unrendered

from .counting import Counter, counter


@check(name="tokens")
def find(dataset: Dataset, recipe: Recipe) -> Iterator[Finding]:
    """No answer is cut at the longest row, and every row has tokens to learn, the turn's end too.

    Learnt are the assistant's messages whose `weight` is not 0, from behind the generation prompt,
    which must be how the row begins, to the token that ends the turn. A row longer than
    `recipe.max_length` is a finding; a hint where the trainer sets it aside or cuts its start
    (`on_overflow`), or where the count is an estimate. Where preferences are trained on
    (`recipe.rejected`) each row counts with each of its two replies, and one without a rejected
    reply is a finding. Further hints: how long rows are, how many tokens the epochs make, and their
    price. Without a recipe a hint says that nothing was checked.

    Local models: the rule of the QLoRA trainer (`tunegate.encode`), with the base's own template.
    OpenAI's: 3 tokens a message, 1 a name, 3 for the reply, and tiktoken's for each text, as in
    OpenAI's cookbook, "How to count tokens with tiktoken"; where the encoding's file is not in
    tiktoken's cache nothing is downloaded, and 4 characters count as a token, which OpenAI's help
    centre gives as a rule of thumb for English ("What are tokens and how to count them?").
    """
    if not recipe.tokenizer:
        yield _about("tokens", f"not checked: {recipe.missing}")
        return
    try:
        count = counter(recipe.tokenizer)
    except ImportError:
        yield _about("tokens", f"not checked: {install('qlora')} brings transformers")
        return
    except ValueError as error:
        yield Finding(None, None, "tokenizer", str(error))
        return
    yield from _counted(dataset, recipe, count)


def _counted(dataset: Dataset, recipe: Recipe, count: Counter) -> Iterator[Finding]:
    limit = min(recipe.max_length or count.longest, count.longest)
    counts = []
    if recipe.rejected and dataset.split != "test":  # whose rows are asked, never trained on
        yield from _unpaired(dataset)
    for example, side in _sides(dataset, recipe.rejected):
        try:
            counted = count(example)
        except (Unfit, Unrendered) as error:
            why = str(error).removeprefix(f"line {example.line}: ")
            yield Finding(example.row, example.line, "template", side + why)
            continue
        counts.append(counted)
        yield from _fitting(example, counted, limit, recipe, count.estimate, side)
    if counts:
        yield _about("tokens", _lengths(counts, limit, recipe.rejected))
    if counts and dataset.split in ("", "train"):
        yield _about("tokens", _amount(counts, recipe))
    if counts and count.estimate:
        yield _about("tokens", f"an estimate: {count.estimate}")


def _unpaired(dataset: Dataset) -> Iterator[Finding]:
    for example in dataset:
        if rejected(example) is None:
            told = "is no list of one message" if "rejected" in example.fields else "is not there"
            yield Finding(example.row, example.line, "no rejected reply", f"`rejected` {told}")


def _sides(dataset: Dataset, both: bool) -> Iterator[tuple[Example, str]]:
    """Yield each row; of `both` its rejected reply too, and what to say of it."""
    for example in dataset:
        sides = replies(example) if both else [example]
        yield from zip(sides, ("", "rejected reply: "), strict=False)


def _fitting(
    example: Example, counted: Counted, limit: int, recipe: Recipe, estimate: str, side: str
) -> Iterator[Finding]:
    if not counted.learnt:
        evidence = f"{side}no token of the row is learnt: no assistant message counts"
        yield Finding(example.row, example.line, "nothing to learn", evidence)
    elif counted.length > limit:
        over = f"{counted.length:,} tokens, {counted.length - limit:,} over {limit:,}"
        what = {"drop": "set aside", "truncate": "cut at its start"}.get(recipe.on_overflow)
        told = f"the row is {what}" if what else "the answer is cut, or the row refused"
        if counted.answer >= limit and not what:
            told = f"nothing is left to learn: the answer begins behind token {counted.answer:,}"
        ours = recipe.max_length is not None and limit == recipe.max_length
        remedy = "raise max_length or shorten the row" if ours else "the model reads no more"
        hint = bool(what or estimate)
        evidence = f"{side}{over}: {told}; {remedy}"
        yield Finding(example.row, example.line, "too long", evidence, hint)


def _lengths(counts: Sequence[Counted], limit: int, both: bool) -> str:
    ordered = sorted(c.length for c in counts)
    middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    what = "rows, read with each reply," if both else "rows"
    rows = f"half the {what} have at most {middle:,} tokens, 99 % at most {high:,}"
    most = f"all {ordered[-1]:,}" + (f"; {limit:,} fit" if limit < 10**9 else "")
    least = min(c.learnt for c in counts)
    return f"{rows}, {most}; at least {least:,} a row are learnt"


def _amount(counts: Sequence[Counted], recipe: Recipe) -> str:
    total, epochs = sum(c.length for c in counts), recipe.epochs
    learnt, price = sum(c.learnt for c in counts), recipe.price_per_million
    amount = f"{total:,} tokens an epoch, {learnt:,} of them learnt; {epochs:,} epochs"
    if price is None:
        return f"{amount}: {epochs * total:,} tokens"
    return f"{amount}, about ${epochs * total * price / 1e6:,.2f} at ${price:,.2f} per million"


def _about(kind: str, evidence: str) -> Finding:
    return Finding(None, None, kind, evidence, hint=True)
