"""Tokens: does each answer fit, is there something to learn in each row, and how much is it all?

    assert not tokens.find(dataset, Recipe("path/to/base", max_length=1024))

Counted is with the tokenizer and chat template of the model that will be trained. A fixture of the
suites, `recipe`, holds what the configuration says of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunegate.checking.decorator import check
from tunegate.data.dataset import Dataset, Example, preference_sides, rejected_reply
from tunegate.results.finding import Finding
from tunegate.tokenization.chat_template import TemplateError
from tunegate.tokenization.counters import TokenCount
from tunegate.tokenization.encode import NotTrainable
from tunegate.tokenization.spec import TokenizationSpec
from tunegate.utils.optional_deps import install_command

from ._token_counter import TokenCounter, make_token_counter


@check(name="tokens")
def find(dataset: Dataset, recipe: TokenizationSpec) -> Iterator[Finding]:
    """No answer is cut at the longest row, and every row has tokens to learn, the turn's end too.

    Learnt are the assistant's messages whose `weight` is not 0, from behind the generation prompt,
    which must be how the row begins, to the token that ends the turn. A row longer than
    `recipe.max_length` is a finding; a hint where the trainer sets it aside or cuts its start
    (`on_overflow`), or where the count is an estimate. Where preferences are trained on
    (`recipe.rejected`) each row counts with each of its two replies, and one without a rejected
    reply is a finding. Further hints: how long rows are, how many tokens the epochs make, and their
    price. Without a recipe a hint says that nothing was checked.

    Local models: the rule of the QLoRA trainer (`tunegate.tokenization.encode`), with the base's own template.
    OpenAI's: 3 tokens a message, 1 a name, 3 for the reply, and tiktoken's for each text, as in
    OpenAI's cookbook, "How to count tokens with tiktoken"; where the encoding's file is not in
    tiktoken's cache nothing is downloaded, and 4 characters count as a token, which OpenAI's help
    centre gives as a rule of thumb for English ("What are tokens and how to count them?").
    """
    if not recipe.tokenizer:
        yield _dataset_hint("tokens", f"not checked: {recipe.missing}")
        return
    try:
        token_counter = make_token_counter(recipe.tokenizer)
    except ImportError:
        yield _dataset_hint(
            "tokens", f"not checked: {install_command('qlora')} brings transformers"
        )
        return
    except ValueError as error:
        yield Finding(None, None, "tokenizer", str(error))
        return
    yield from _token_findings(dataset, recipe, token_counter)


def _token_findings(
    dataset: Dataset, recipe: TokenizationSpec, token_counter: TokenCounter
) -> Iterator[Finding]:
    limit = min(recipe.max_length or token_counter.max_tokens, token_counter.max_tokens)
    token_counts = []
    if recipe.rejected and dataset.split != "test":  # whose rows are asked, never trained on
        yield from _missing_rejected(dataset)
    for example, prefix in _with_rejected_replies(dataset, recipe.rejected):
        try:
            token_count = token_counter(example)
        except (NotTrainable, TemplateError) as error:
            reason = str(error).removeprefix(f"line {example.line}: ")
            yield Finding(example.row, example.line, "template", prefix + reason)
            continue
        token_counts.append(token_count)
        yield from _row_findings(
            example, token_count, limit, recipe, token_counter.estimate, prefix
        )
    if token_counts:
        yield _dataset_hint("tokens", _length_text(token_counts, limit, recipe.rejected))
    if token_counts and dataset.split in ("", "train"):
        yield _dataset_hint("tokens", _amount_text(token_counts, recipe))
    if token_counts and token_counter.estimate:
        yield _dataset_hint("tokens", f"an estimate: {token_counter.estimate}")


def _missing_rejected(dataset: Dataset) -> Iterator[Finding]:
    for example in dataset:
        if rejected_reply(example) is None:
            problem = (
                "is no list of one message" if "rejected" in example.fields else "is not there"
            )
            yield Finding(example.row, example.line, "no rejected reply", f"`rejected` {problem}")


def _with_rejected_replies(dataset: Dataset, with_rejected: bool) -> Iterator[tuple[Example, str]]:
    """Yield each row; of `with_rejected` its rejected reply too, and what to say of it."""
    for example in dataset:
        sides = preference_sides(example) if with_rejected else [example]
        yield from zip(sides, ("", "rejected reply: "), strict=False)


def _row_findings(
    example: Example,
    token_count: TokenCount,
    limit: int,
    recipe: TokenizationSpec,
    estimate: str,
    prefix: str,
) -> Iterator[Finding]:
    if not token_count.trained:
        evidence = f"{prefix}no token of the row is learnt: no assistant message counts"
        yield Finding(example.row, example.line, "nothing to learn", evidence)
    elif token_count.length > limit:
        excess_text = (
            f"{token_count.length:,} tokens, {token_count.length - limit:,} over {limit:,}"
        )
        overflow_action = {"drop": "set aside", "truncate": "cut at its start"}.get(
            recipe.on_overflow
        )
        consequence = (
            f"the row is {overflow_action}"
            if overflow_action
            else "the answer is cut, or the row refused"
        )
        if token_count.answer_start >= limit and not overflow_action:
            consequence = f"nothing is left to learn: the answer begins behind token {token_count.answer_start:,}"
        is_own_limit = recipe.max_length is not None and limit == recipe.max_length
        remedy = (
            "raise max_length or shorten the row" if is_own_limit else "the model reads no more"
        )
        hint = bool(overflow_action or estimate)
        evidence = f"{prefix}{excess_text}: {consequence}; {remedy}"
        yield Finding(example.row, example.line, "too long", evidence, hint)


def _length_text(token_counts: Sequence[TokenCount], limit: int, reads_both_replies: bool) -> str:
    ordered = sorted(c.length for c in token_counts)
    middle, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    rows_name = "rows, read with each reply," if reads_both_replies else "rows"
    rows = f"half the {rows_name} have at most {middle:,} tokens, 99 % at most {high:,}"
    longest_text = f"all {ordered[-1]:,}" + (f"; {limit:,} fit" if limit < 10**9 else "")
    min_trained = min(c.trained for c in token_counts)
    return f"{rows}, {longest_text}; at least {min_trained:,} a row are learnt"


def _amount_text(token_counts: Sequence[TokenCount], recipe: TokenizationSpec) -> str:
    total, epochs = sum(c.length for c in token_counts), recipe.epochs
    trained, price = sum(c.trained for c in token_counts), recipe.price_per_million
    amount = f"{total:,} tokens an epoch, {trained:,} of them learnt; {epochs:,} epochs"
    if price is None:
        return f"{amount}: {epochs * total:,} tokens"
    return f"{amount}, about ${epochs * total * price / 1e6:,.2f} at ${price:,.2f} per million"


def _dataset_hint(kind: str, evidence: str) -> Finding:
    return Finding(None, None, kind, evidence, hint=True)
