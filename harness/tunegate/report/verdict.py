"""The verdict: promoted or not, since when, and in one sentence why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..models import Candidate
from ..promotion import Refused, vet
from ..registry import Entry, standing
from ..render import score_line
from ..sealed import SealBroken
from .gather import Found, Json
from .page import Link, Pairs, Tone, Verdict
from .standing import before, in_force
from .words import ended, local, manner, minute, named, plain


def verdict(found: Found, chain: Sequence[Link]) -> Verdict:
    """Say how the run stands, and warn of what speaks against it."""
    now, card = in_force(found), found.card
    tone: Tone = "plain"
    if now:
        tone, headline = "good", f"Promoted: {', '.join(now)}"
    elif card is None:
        headline = "Never judged"
    elif card["gate"] != "open":
        tone, headline = "bad", "Not promoted: the gate is closed"
    else:
        headline = "Not promoted any more" if before(found) else "Not promoted"
    warnings = tuple(_warnings(found, chain, promoted=bool(now)))
    if found.broken or any(link.holds is False for link in chain):
        tone = "bad"
    said = (*_sentences(found), *([] if now else [why_not(found)]))
    return Verdict(tone, headline, said, warnings, tuple(_facts(found, chain)))


def _sentences(found: Found) -> Iterator[str]:
    for alias, entry in in_force(found).items():
        last = [line for line in found.entries if line["alias"] == alias][-1]
        if last["action"] == "rollback":
            then = f"was promoted to this run {minute(entry['when'])}"
            yield f"{alias} {then}, and came back to it {_signed(last)}."
        else:
            yield f"{alias} has stood on this run since {_signed(entry)}."
    for alias, entry in before(found).items():
        stack = standing(found.entries, alias)
        now = f"now it stands on run {stack[-1]['run']}" if stack else "now it stands on none"
        yield f"{alias} stood on this run from {minute(entry['when'])}; {now}."


def _signed(entry: Entry) -> str:
    why = f": “{entry['why']}”" if entry.get("why") else "; no reason was given"
    return f"{minute(entry['when'])}, by {entry['who']}{why}"


def why_not(found: Found) -> str:
    """Say in one sentence why the run is not promoted."""
    card, spec = found.card, f"run:{found.run.id}"
    if found.broken:
        return "Whether it was promoted nobody can say: the registry is broken."
    if card is None:
        return f"No model suite has judged it: pytest suites/model --model {spec}."
    if card["gate"] != "open":
        return ended(f"The model suite closed the gate: {closed_by(card)}")
    if refused := _refused(found, card):
        return ended(f"The gate is open, and a promotion would be refused: {refused}")
    if before(found):
        return "The gate is open: it could be promoted again."
    return "The gate is open, and nobody has promoted it."


def closed_by(card: Json) -> str:
    """Say which scores missed their limits; where it was none of them, what the gate said."""
    told = [_missed(n) for n in card.get("missed", []) if not n["held"] and "value" in n]
    more = [f"{len(told) - 3} more"] if len(told) > 3 else []
    return "; ".join([*told[:3], *more]) or str(card["gate"])


def _missed(note: Json) -> str:
    if note["value"] is None:  # NaN or infinite: only its line says which
        return f"{note['line']} did not hold"
    name, value, _, limit, _ = score_line(note)
    return f"{name} is {value}, the limit {limit}"


def _refused(found: Found, card: Json) -> str:
    """Ask the promotion's own rule, as `--promote` would."""
    name = found.of(card["model_digest"])
    if not name:
        return f"the model that was judged is not one of run {found.run.id}"
    if found.test is None:
        return "the test data that it was judged on is not here"
    try:
        spec, digest = found.run.made("" if name == "model" else name)
        vet(Candidate(spec, found.run, digest), card["model_digest"], found.test, found.run.state)
    except (Refused, SealBroken, ValueError, OSError) as error:
        return local(str(error), found.root)
    return ""


def _warnings(found: Found, chain: Sequence[Link], promoted: bool) -> Iterator[str]:
    if broken := [link.name for link in chain if link.holds is False]:
        several = "s of the chain do" if len(broken) > 1 else " of the chain does"
        yield f"{len(broken)} link{several} not verify: {', '.join(broken)}."
    if promoted and found.card is not None and found.card["gate"] != "open":
        yield ended(f"A later session of the model suite closed the gate: {closed_by(found.card)}")
    if word := found.record["figures"].get("word"):
        yield ended(f"{str(word)[:1].upper()}{str(word)[1:]}")


def _facts(found: Found, chain: Sequence[Link]) -> Iterator[tuple[str, str]]:
    yield from _gates(found)
    if found.card and (now := found.card["predictions"]):
        then = found.card["baseline"]
        was = f" (baseline {then['right'] / then['n']:.1%})" if then and then["n"] else ""
        yield "right answers", f"{now['right']:,} of {now['n']:,}{was}"
    held = sum(link.holds is True for link in chain)
    away = sum(link.holds is None for link in chain)
    more = f", {away} cannot be looked at" if away else ""
    yield "chain of digests", f"{held} of {len(chain)} links verify{more}"
    yield "trained", f"{manner(found.run.plan)}, on {named(str(_base(found)), found.root)}"


def _base(found: Found) -> object:
    return found.run.plan.config.get("base", found.run.plan.base)


def _gates(found: Found) -> Pairs:
    tests = len(found.receipt["tests"]) if found.receipt else 0
    data = f"open: {plain(tests)} tests passed" if found.receipt else "no receipt"
    if found.card is None:
        return (("data gate", data), ("model gate", "never judged"))
    n = len(found.card["inventory"])
    model = f"open: {plain(n)} tests passed" if found.card["gate"] == "open" else "closed"
    return (("data gate", data), ("model gate", model))
