"""Checks of your own: edit this one, or write others beside it.

A check yields findings, and a test says that there are none. Ten more: docs/writing-checks.md.
"""

from collections.abc import Iterator

from tunegate import Dataset, Finding, check


@check(name="my_checks.echo")
def echo(dataset: Dataset) -> Iterator[Finding]:
    """Yield each reply that only repeats its prompt."""
    for example in dataset:
        if example.reply.strip() and example.reply.strip() == example.prompt.strip():
            yield example.finding("echo", example.reply)


def test_no_reply_repeats_its_prompt(dataset: Dataset) -> None:
    """The model would learn to repeat what it is asked."""
    assert not echo(dataset)
