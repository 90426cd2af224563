"""The verdict: promoted or not, since when, and in one sentence why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...gates.promotion import PromotionRefused, check_promotable
from ...models.spec import Candidate
from ...storage.registry import RegistryEntry, promotions_in_force
from ...storage.seal import SealBroken
from ..terminal import score_cells
from .gather import Json, RunFiles
from .page import Link, Pairs, Tone, Verdict
from .text import (
    public_name,
    relative_paths,
    time_text,
    training_method,
    value_text,
    with_full_stop,
)


def verdict_section(files: RunFiles, chain: Sequence[Link]) -> Verdict:
    """Say how the run stands, and warn of what speaks against it."""
    current, card = current_promotions(files), files.card
    tone: Tone = "plain"
    if current:
        tone, headline = "good", f"Promoted: {', '.join(current)}"
    elif card is None:
        headline = "Never judged"
    elif card["gate"] != "open":
        tone, headline = "bad", "Not promoted: the gate is closed"
    else:
        headline = "Not promoted any more" if former_promotions(files) else "Not promoted"
    warnings = tuple(_warnings(files, chain, promoted=bool(current)))
    if files.registry_error or any(link.holds is False for link in chain):
        tone = "bad"
    sentences = (*_sentences(files), *([] if current else [why_not_promoted(files)]))
    return Verdict(tone, headline, sentences, warnings, tuple(_facts(files, chain)))


def _sentences(files: RunFiles) -> Iterator[str]:
    for alias, entry in current_promotions(files).items():
        last = [line for line in files.entries if line["alias"] == alias][-1]
        if last["action"] == "rollback":
            promoted_text = f"was promoted to this run {time_text(entry['when'])}"
            yield f"{alias} {promoted_text}, and came back to it {_signed_text(last)}."
        else:
            yield f"{alias} has stood on this run since {_signed_text(entry)}."
    for alias, entry in former_promotions(files).items():
        stack = promotions_in_force(files.entries, alias)
        current_text = (
            f"now it stands on run {stack[-1]['run']}" if stack else "now it stands on none"
        )
        yield f"{alias} stood on this run from {time_text(entry['when'])}; {current_text}."


def _signed_text(entry: RegistryEntry) -> str:
    why = f": “{entry['why']}”" if entry.get("why") else "; no reason was given"
    return f"{time_text(entry['when'])}, by {entry['who']}{why}"


def why_not_promoted(files: RunFiles) -> str:
    """Say in one sentence why the run is not promoted."""
    card, spec = files.card, f"run:{files.run.id}"
    if files.registry_error:
        return "Whether it was promoted nobody can say: the registry is broken."
    if card is None:
        return f"No model suite has judged it: pytest suites/model --model {spec}."
    if card["gate"] != "open":
        return with_full_stop(f"The model suite closed the gate: {closing_reasons(card)}")
    if refused := _promotion_refusal(files, card):
        return with_full_stop(f"The gate is open, and a promotion would be refused: {refused}")
    if former_promotions(files):
        return "The gate is open: it could be promoted again."
    return "The gate is open, and nobody has promoted it."


def closing_reasons(card: Json) -> str:
    """Say which scores missed their limits; where it was none of them, what the gate said."""
    missed_limits = [
        _missed_limit(n) for n in card.get("missed", []) if not n["held"] and "value" in n
    ]
    more = [f"{len(missed_limits) - 3} more"] if len(missed_limits) > 3 else []
    return "; ".join([*missed_limits[:3], *more]) or str(card["gate"])


def _missed_limit(outcome: Json) -> str:
    if outcome["value"] is None:  # NaN or infinite: only its line says which
        return f"{outcome['line']} did not hold"
    name, value, _, limit, _ = score_cells(outcome)
    return f"{name} is {value}, the limit {limit}"


def _promotion_refusal(files: RunFiles, card: Json) -> str:
    """Ask the promotion's own rule, as `--promote` would."""
    name = files.name_of_model(card["model_digest"])
    if not name:
        return f"the model that was judged is not one of run {files.run.id}"
    if files.test is None:
        return "the test data that it was judged on is not here"
    try:
        spec, digest = files.run.model_of("" if name == "model" else name)
        check_promotable(
            Candidate(spec, files.run, digest), card["model_digest"], files.test, files.run.state
        )
    except (PromotionRefused, SealBroken, ValueError, OSError) as error:
        return relative_paths(str(error), files.root)
    return ""


def _warnings(files: RunFiles, chain: Sequence[Link], promoted: bool) -> Iterator[str]:
    if broken := [link.name for link in chain if link.holds is False]:
        noun = "s of the chain do" if len(broken) > 1 else " of the chain does"
        yield f"{len(broken)} link{noun} not verify: {', '.join(broken)}."
    if promoted and files.card is not None and files.card["gate"] != "open":
        yield with_full_stop(
            f"A later session of the model suite closed the gate: {closing_reasons(files.card)}"
        )
    if attestation := files.record["figures"].get("word"):
        yield with_full_stop(f"{str(attestation)[:1].upper()}{str(attestation)[1:]}")


def _facts(files: RunFiles, chain: Sequence[Link]) -> Iterator[tuple[str, str]]:
    yield from _gates(files)
    if files.card and (predictions := files.card["predictions"]):
        baseline = files.card["baseline"]
        baseline_text = (
            f" (baseline {baseline['right'] / baseline['n']:.1%})"
            if baseline and baseline["n"]
            else ""
        )
        yield "right answers", f"{predictions['right']:,} of {predictions['n']:,}{baseline_text}"
    verified = sum(link.holds is True for link in chain)
    unverifiable = sum(link.holds is None for link in chain)
    more = f", {unverifiable} cannot be looked at" if unverifiable else ""
    yield "chain of digests", f"{verified} of {len(chain)} links verify{more}"
    yield (
        "trained",
        f"{training_method(files.run.plan)}, on {public_name(str(_base_model(files)), files.root)}",
    )


def _base_model(files: RunFiles) -> object:
    return files.run.plan.config.get("base", files.run.plan.base)


def _gates(files: RunFiles) -> Pairs:
    tests = len(files.receipt["tests"]) if files.receipt else 0
    data = f"open: {value_text(tests)} tests passed" if files.receipt else "no receipt"
    if files.card is None:
        return (("data gate", data), ("model gate", "never judged"))
    n = len(files.card["inventory"])
    model = f"open: {value_text(n)} tests passed" if files.card["gate"] == "open" else "closed"
    return (("data gate", data), ("model gate", model))


# [merged] Where a run stands in the registry: what it is now, and what it was.


def current_promotions(files: RunFiles) -> dict[str, RegistryEntry]:
    """Return the aliases that stand on this run, each with its promotion."""
    promotions_by_alias = {
        alias: promotions_in_force(files.entries, alias)
        for alias in {e["alias"] for e in files.entries}
    }
    return {
        a: s[-1]
        for a, s in sorted(promotions_by_alias.items())
        if s and s[-1].get("run") == files.run.id
    }


def former_promotions(files: RunFiles) -> dict[str, RegistryEntry]:
    """Return the aliases that once stood on this run, each with its last promotion then."""
    current = current_promotions(files)
    return {
        entry["alias"]: entry for entry in _all_promotions(files) if entry["alias"] not in current
    }


def counting_promotions(files: RunFiles) -> list[RegistryEntry]:
    """Return the promotions of this run that count: all in force, else the last one it had."""
    return [*current_promotions(files).values()] or _all_promotions(files)[-1:]


def _all_promotions(files: RunFiles) -> list[RegistryEntry]:
    """Return every promotion of this run, the oldest first."""
    run_entries = (entry for entry in files.entries if entry.get("run") == files.run.id)
    return [entry for entry in run_entries if entry["action"] != "rollback"]


def registry_lines(files: RunFiles) -> list[RegistryEntry]:
    """Return the registry's lines that are about this run, the oldest first."""
    run_id = files.run.id
    return [entry for entry in files.entries if run_id in (entry.get("run"), entry.get("from"))]
