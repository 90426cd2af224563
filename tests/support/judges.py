"""Judges that are Python functions, and predictions to judge."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tunegate.interfaces.model import Answer, Request
from tunegate.models.predict import Judge, JudgePanel
from tunegate.results.prediction import Prediction, Predictions
from tunegate_checks.judge import prompt
from tunegate_checks.judge.rubric import Criterion, Rubric

ScriptedJudge = Callable[[dict[str, str]], Any]  # of what is fenced; a str is the answer itself

YES_NO = Rubric(
    name="support", instructions="Judge the reply.",
    criteria=(
        Criterion(id="polite", question="Is it polite?"),
        Criterion(id="helpful", question="Does it help?"),
    ),
)  # fmt: skip
SCALE = Rubric(
    name="warmth", instructions="How warm?", scale=(1, 5),
    anchors={"1": "icy", "5": "warm"}, pass_from=4,
)  # fmt: skip


def judge_panel(
    *functions: ScriptedJudge, asked: list[Request] | None = None, **limits: Any
) -> JudgePanel:
    """Return a jury of functions; an exception is an answer that could not be had."""
    judges = [_opened(judge, i, asked) for i, judge in enumerate(functions)]
    return JudgePanel(judges, Path("rubric.toml"), **limits)


def _opened(judge: ScriptedJudge, number: int, asked: list[Request] | None) -> Judge:
    def ask(requests: Sequence[Request]) -> dict[int, Answer]:
        if asked is not None:
            asked.extend(requests)
        return {r.row: _answer(judge, r) for r in requests}

    return Judge(f"judge{number}", f"{number}" * 64, ask)


def _answer(judge: ScriptedJudge, request: Request) -> Answer:
    fenced = prompt.read_quoted(request.messages[-1]["content"])
    about = {**fenced[0], **(fenced[1] if len(fenced) > 1 else {})}
    try:
        said = judge({**about, "repetition": str(request.repetition)})
    except OSError as error:
        return Answer(request.row, error=str(error))
    return Answer(request.row, said if isinstance(said, str) else json.dumps(said))


def by_rule(data: dict[str, str]) -> dict[str, Any]:
    """Judge YES_NO: polite replies say please, helpful ones are longer than ten characters."""
    met = {"polite": "please" in data["answer"], "helpful": len(data["answer"]) > 10}
    return {"reason": "by rule", "verdicts": met}


def warmth(data: dict[str, str]) -> dict[str, Any]:
    """Judge SCALE: one more for each heart."""
    return {"reason": "hearts", "score": min(1 + data["answer"].count("♥"), 5)}


def longer(data: dict[str, str]) -> dict[str, Any]:
    """Prefer the longer answer, wherever it stands."""
    a, b = len(data["a"]), len(data["b"])
    return {"reason": "length", "better": "a" if a > b else "b" if b > a else "tie"}


def first(data: dict[str, str]) -> dict[str, Any]:
    """Prefer whatever stands first."""
    return {"reason": "it came first", "better": "a"}


def predictions(*answers: str, errors: Sequence[int] = ()) -> Predictions:
    """Return predictions with these answers; rows among `errors` have none."""
    rows = [
        Prediction(i, i + 1, f"question {i}", "expected", "" if i in errors else answer,
                   "timeout" if i in errors else "")
        for i, answer in enumerate(answers)
    ]  # fmt: skip
    return Predictions(rows, model="toy", test="digest")
