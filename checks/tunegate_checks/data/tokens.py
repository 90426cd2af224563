"""Tokens: every row must fit into the longest trained row, and contain tokens to train on."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tunegate import Finding, TokenizationSpec, check
from tunegate.data.dataset import Dataset, Example, preference_sides, rejected_reply
from tunegate.tokenization.chat_template import TemplateError, TemplateOptions, load_template
from tunegate.tokenization.encode import IGNORE_INDEX, NotTrainable, encode_example, is_trained_on
from tunegate.tokenization.spec import OpenAITokenCounter, TokenCount
from tunegate.utils.optional_deps import install_command

# What the trainer does with a row that is too long, by `on_overflow`; "raise" ends the training.
OVERFLOW_ACTIONS = {"drop": "set aside", "truncate": "cut at its start"}


@check(name="tokens")
def find(dataset: Dataset, tokenization: TokenizationSpec) -> Iterator[Finding]:
    """Yield each row that is too long for training, or has no token to train on.

    Trained tokens are those of the assistant's messages whose `weight` is not 0: from behind the
    generation prompt, which must be how the row begins, to the token that ends the turn. A row
    longer than `tokenization.max_length` is a finding; it is a hint if the trainer drops or
    truncates it (`on_overflow`), or if the count is an estimate. Where rejected replies are trained
    on (`tokenization.rejected`) each row is counted with either reply, and a row without a rejected
    reply is a finding. Further hints: the lengths of the rows, the tokens of all epochs and their
    price. Without a tokenizer a hint says that nothing was checked.

    Local models: the encoding of the QLoRA trainer (`tunegate.tokenization.encode`), with the
    base's own template. OpenAI: 3 tokens a message, 1 a name, 3 for the reply, and tiktoken's count
    of each text (OpenAI's cookbook, "How to count tokens with tiktoken"). Nothing is downloaded:
    without the encoding in tiktoken's cache 4 characters count as a token, a rule of thumb for
    English of OpenAI's help centre ("What are tokens and how to count them?").
    """
    if not tokenization.tokenizer:
        yield Finding.dataset_hint("tokens", f"not checked: {tokenization.missing}")
        return
    count_tokens: OpenAITokenCounter | ChatTemplateCounter
    scheme, _, name = tokenization.tokenizer.partition(":")
    try:
        if scheme == "openai":
            count_tokens = OpenAITokenCounter(name)
        else:
            count_tokens = ChatTemplateCounter(tokenization.tokenizer, tokenization.template)
    except ImportError:
        missing = f"{install_command('qlora')} brings transformers"
        yield Finding.dataset_hint("tokens", f"not checked: {missing}")
        return
    except ValueError as error:
        yield Finding.of_dataset("tokenizer", str(error))
        return
    limit = min(tokenization.max_length or count_tokens.max_tokens, count_tokens.max_tokens)
    token_counts = []
    for example in dataset:
        # The test set is only asked, never trained on: it needs no rejected replies.
        if tokenization.rejected and dataset.split != "test" and rejected_reply(example) is None:
            is_there = "rejected" in example.fields
            problem = "is no list of one message" if is_there else "is not there"
            yield example.finding("no rejected reply", f"`rejected` {problem}")
        sides = preference_sides(example) if tokenization.rejected else [example]
        for side, prefix in zip(sides, ("", "rejected reply: "), strict=False):
            try:
                token_count = count_tokens(side)
            except (NotTrainable, TemplateError) as error:
                reason = str(error).removeprefix(f"line {example.line}: ")
                yield example.finding("template", prefix + reason)
                continue
            token_counts.append(token_count)
            if not token_count.trained:
                evidence = f"{prefix}no token of the row is learnt: no assistant message counts"
                yield example.finding("nothing to learn", evidence)
            elif token_count.length > limit:
                evidence = prefix + _overflow_text(token_count, limit, tokenization)
                known = tokenization.on_overflow in OVERFLOW_ACTIONS or count_tokens.estimate
                yield example.finding("too long", evidence, hint=bool(known))
    if token_counts:
        for evidence in _summary_texts(token_counts, limit, dataset.split, tokenization):
            yield Finding.dataset_hint("tokens", evidence)
        if count_tokens.estimate:
            yield Finding.dataset_hint("tokens", f"an estimate: {count_tokens.estimate}")


class ChatTemplateCounter:
    """Counts by the base's own chat template, like the QLoRA trainer; raises as `load_template`."""

    estimate = ""

    def __init__(self, folder: str, options: TemplateOptions | None = None) -> None:
        self.chat_template = load_template(folder, options)
        self.max_tokens = int(self.chat_template.tokenizer.model_max_length)

    def __call__(self, example: Example) -> TokenCount:
        """Count a row; raise NotTrainable or TemplateError where it cannot be encoded."""
        if not any(is_trained_on(m) for m in example.messages):
            text = self.chat_template.render(example.messages)
            return TokenCount(len(self.chat_template.token_ids(text)), trained=0, answer_start=0)
        labels = encode_example(example, self.chat_template).labels
        trained = [i for i, label in enumerate(labels) if label != IGNORE_INDEX]
        # The last answer is the last unbroken run of trained tokens.
        starts = [trained[0], *(b for a, b in pairwise(trained) if b - a > 1)]
        return TokenCount(len(labels), len(trained), starts[-1])


def _overflow_text(token_count: TokenCount, limit: int, tokenization: TokenizationSpec) -> str:
    """Return by how much a row exceeds the limit, what happens to it, and what to do."""
    if action := OVERFLOW_ACTIONS.get(tokenization.on_overflow):
        consequence = f"the row is {action}"
    elif token_count.answer_start >= limit:
        position = f"{token_count.answer_start:,}"
        consequence = f"nothing is left to learn: the answer begins behind token {position}"
    else:
        consequence = "the answer is cut, or the row refused"
    remedy = "the model reads no more"
    if tokenization.max_length is not None and limit == tokenization.max_length:
        remedy = "raise max_length or shorten the row"
    excess = f"{token_count.length:,} tokens, {token_count.length - limit:,} over {limit:,}"
    return f"{excess}: {consequence}; {remedy}"


def _summary_texts(
    token_counts: Sequence[TokenCount], limit: int, split: str, tokenization: TokenizationSpec
) -> Iterator[str]:
    """Yield the lengths of the rows and, for the training set, the tokens and their price."""
    lengths = sorted(c.length for c in token_counts)
    middle, high = lengths[len(lengths) // 2], lengths[int(len(lengths) * 0.99)]
    rows = "rows, read with each reply," if tokenization.rejected else "rows"
    fit = f"; {limit:,} fit" if limit < 10**9 else ""
    min_trained = min(c.trained for c in token_counts)
    most = f"at most {middle:,} tokens, 99 % at most {high:,}, all {lengths[-1]:,}{fit}"
    yield f"half the {rows} have {most}; at least {min_trained:,} a row are learnt"
    if split in ("", "train"):
        total, epochs, price = sum(lengths), tokenization.epochs, tokenization.price_per_million
        trained = sum(c.trained for c in token_counts)
        cost = f": {epochs * total:,} tokens"
        if price is not None:
            cost = f", about ${epochs * total * price / 1e6:,.2f} at ${price:,.2f} per million"
        yield f"{total:,} tokens an epoch, {trained:,} of them learnt; {epochs:,} epochs{cost}"
