"""Gives a byte-level BPE tokenizer capitals: words in capitals are cut as in small letters.

A tokenizer that has read few capitals breaks them into single letters, and the model that reads
them loses the thread. So each token gets a twin in capitals, with the merge that makes it, beside
those of the original. Twins begin with the vector of the token in small letters.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer, decoders, pre_tokenizers

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

LEAST = 20  # how often a twin must stand in the sample of texts to be kept
_BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
_TEXT = decoders.ByteLevel()


def changed(token: str, upper: bool) -> str:
    """Return a token of a byte-level vocabulary in capitals, or in small letters."""
    text = _TEXT.decode([token])
    if "\ufffd" in text:  # a part of a letter
        return token
    text = text.upper() if upper else text.lower()
    return _BYTES.pre_tokenize_str(text)[0][0]


def with_capitals(tokenizer: Tokenizer, sample: Iterable[str]) -> tuple[Tokenizer, dict[str, str]]:
    """Add the twins that a sample of texts in capitals takes; return them with their originals.

    Ids of old tokens stay, and so does the way in which texts without two capitals in a row are
    cut.
    """
    state = json.loads(tokenizer.to_str())
    vocabulary, merges = state["model"]["vocab"], [tuple(m) for m in state["model"]["merges"]]
    known, twins, made = set(merges), dict[str, str](), list[tuple[str, str]]()
    for left, right in merges:
        made.append((left, right))
        twin, cut = changed(left + right, upper=True), len(left)
        pair = (twin[:cut], twin[cut:])
        if len(twin) == len(left + right) and pair not in known:
            known.add(pair)
            made.append(pair)
            if twin not in vocabulary:
                twins.setdefault(twin, left + right)

    def built(names: Iterable[str]) -> Tokenizer:
        tokens = vocabulary | {name: n for n, name in enumerate(names, len(vocabulary))}
        kept = [m for m in made if {*m, "".join(m)} <= tokens.keys()]
        state["model"] |= {"vocab": tokens, "merges": kept}
        return Tokenizer.from_str(json.dumps(state))

    whole = built(twins)
    uses = Counter(token for text in sample for token in whole.encode(text.upper()).tokens)
    wanted, todo = set[str](), [twin for twin in twins if uses[twin] >= LEAST]
    while todo:  # with the twins that their merges are made of
        if (twin := todo.pop()) not in wanted:
            wanted.add(twin)
            todo += [p for pair in made if "".join(pair) == twin for p in pair if p in twins]
    twins = {twin: original for twin, original in twins.items() if twin in wanted}
    return built(twins), twins


def widen(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, sample: Iterable[str]
) -> None:
    """Give tokenizer and model the twins, in place."""
    import torch

    tokenizer._tokenizer, twins = with_capitals(tokenizer.backend_tokenizer, sample)
    ids = tokenizer.get_vocab()
    model.resize_token_embeddings(len(ids), mean_resizing=False)
    vectors: Any = model.get_input_embeddings().weight
    with torch.no_grad():
        for twin, original in twins.items():
            small = changed(twin, upper=False)
            vectors[ids[twin]] = vectors[ids[small if small in ids else original]]
