"""Escreve os chamados de exemplo em data/: a mesma semente dá os mesmos bytes.

    python generate.py

Um chamado junta um problema, que decide a categoria e a ação, e um sinal de pressa, que decide a
urgência; as palavras estão em `lexico.toml`. Dois chamados nunca se parecem demais.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random

from rapidfuzz import fuzz, process

SPLITS = {"train": 500, "validation": 100, "test": 120}
ALIKE = 80.0  # fuzz.ratio; a partir de 85 o teste de quase duplicatas reclama
HERE = Path(__file__).parent
WORDS = tomllib.loads((HERE / "lexico.toml").read_text("utf-8"))
SYSTEM = (HERE / "prompts" / "sistema.txt").read_text("utf-8")


def expand(random: Random, text: str) -> str:
    """Preenche as listas, depois resolve as escolhas; cada frase começa com maiúscula."""
    while slot := re.search(r"<(\w+)>", text):
        text = text.replace(slot.group(), random.choice(WORDS["listas"][slot[1]]), 1)
    while choice := re.search(r"\{([^{}]*)\}", text):
        text = text[: choice.start()] + random.choice(choice[1].split("|")) + text[choice.end() :]
    return re.sub(r"(^|[.!?] )([a-zà-ú])", lambda m: m[1] + m[2].upper(), text)


def tickets(random: Random) -> Iterator[tuple[str, str]]:
    """Dá chamados com a resposta, sem fim; cada problema com cada urgência, por vez."""
    seen: list[str] = []
    while True:
        for problem, urgency in product(WORDS["problemas"], WORDS["urgencia"]):
            said = [random.choice(problem["ditos"]), random.choice(WORDS["urgencia"][urgency])]
            random.shuffle(said)
            start = random.choice(WORDS["saudacoes"]) + random.choice(WORDS["contextos"])
            text = expand(random, start + " ".join(said))
            if not process.extractOne(text, seen, scorer=fuzz.ratio, score_cutoff=ALIKE):
                seen.append(text)
                fields = {"categoria": problem["categoria"], "urgencia": urgency}
                yield text, json.dumps({**fields, "acao": problem["acao"]})


def main() -> None:
    """Sorteia os chamados e escreve as três partes."""
    random = Random("chamados")
    source = tickets(random)
    for split, size in SPLITS.items():
        rows = [next(source) for _ in range(size)]
        random.shuffle(rows)
        lines = []
        for text, reply in rows:
            turns = {"system": SYSTEM, "user": text, "assistant": reply}
            messages = [{"role": role, "content": content} for role, content in turns.items()]
            lines.append(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
        path = HERE / "data" / f"{split}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(lines), "utf-8", newline="\n")
        print(f"data/{split}.jsonl: {size} chamados")


if __name__ == "__main__":
    main()
