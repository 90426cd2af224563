"""A model of one line: `python:answering:reply`."""


def reply(messages):
    """Return the last message, turned round."""
    return messages[-1]["content"][::-1]
