"""Write the 200 pairs of data/: the same seed gives the same bytes.

    python generate.py

Each kind of function of `kinds.toml` for each of its types: the question declares the type, the
answer is a module in the house style (failures are values of Result, nothing is thrown).
"""

import json
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random

from rapidfuzz import fuzz

SPLITS = {"train": 112, "validation": 28, "test": 60}
RESULT = "type Result<T> = { ok: true; value: T } | { ok: false; error: string };"
WAYS = (
    "{about}\n{declared}\n\n{ask}", "{ask} {about}\n\n{declared}", "Given {declared}\n{ask}",
    "{declared}\n{ask} {about}", "{ask}\n{declared}", "{about} {ask}",
)  # fmt: skip
ROLES = ("user", "assistant")
ALIKE = 80.0  # fuzz.ratio; from 85 on, two questions are near-duplicates
HERE = Path(__file__).parent


def fill(text: str, names: dict[str, str]) -> str:
    """Replace `$name` and `${name}`, the longest names first; template strings of code stay."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f"${{{name}}}", names[name]).replace(f"${name}", names[name])
    return text


def pair(kind: dict[str, str], about: dict[str, str]) -> tuple[list[str], str]:
    """Return the ways to ask for a function of one type, and the module that answers."""
    names = {name: str(value) for name, value in about.items()}
    names |= {"N": names["n"].capitalize(), "K": names["key"].capitalize()}
    names |= {"TS": names["ts"].upper()}
    declared = f"type {names['T']} = {{ {names['key']}: string; {names['n']}: number }};"
    code, ask = fill(kind["code"].strip(), names), fill(kind["ask"], names)
    head = [RESULT] * ("Result<" in code) + [f"export {declared}"] * (names["T"] in code)
    asks = [way.format(about=names["about"], declared=declared, ask=ask) for way in WAYS]
    return asks, "\n".join(head) + ("\n\n" if head else "") + code + "\n"


def pairs(random: Random) -> Iterator[tuple[str, str]]:
    """Yield every pair, asked in a way that is not like what was asked before."""
    words, seen = tomllib.loads((HERE / "kinds.toml").read_text("utf-8")), list[str]()
    for kind, about in product(words["kinds"], words["types"]):
        asks, reply = pair(kind, about)
        random.shuffle(asks)
        asks.sort(key=lambda ask: max((fuzz.ratio(ask, said) for said in seen), default=0) > ALIKE)
        seen.append(asks[0])
        yield asks[0], reply


def main() -> None:
    """Make the pairs, shuffle them, and write the three splits."""
    random = Random("house")
    made = random.sample(list(pairs(random)), sum(SPLITS.values()))
    for split, size in SPLITS.items():
        part, made = made[:size], made[size:]
        lines = []
        for turns in part:
            messages = [{"role": r, "content": t} for r, t in zip(ROLES, turns, strict=True)]
            lines.append(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
        path = HERE / "data" / f"{split}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(lines), "utf-8", newline="\n")
        print(f"data/{split}.jsonl: {size} pairs")


if __name__ == "__main__":
    main()
