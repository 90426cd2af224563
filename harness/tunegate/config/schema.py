"""The configuration of a project: `tunegate.toml`, or `[tool.tunegate]` in pyproject.toml."""

import json
import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import pydantic
from pydantic import AfterValidator, BeforeValidator, Field, GetPydanticSchema, WrapValidator

from ..data.dataset import Reading
from ..data.formats.columns import COLUMNS_EXAMPLE, missing_columns
from ..errors import ConfigError
from ..interfaces.programs import Program
from ..results.labels import LabelRule, label_rule, label_rule_of_table, transformed
from ..results.outcome import Mode
from ..results.score import Limit
from ..utils.text import did_you_mean
from .project import DEFAULT_SUITES, find_root, read_table

# "style" is the old name of "text": a style, summaries, translations.
Task = Literal[
    "classification", "multilabel", "extraction", "tools", "qa", "text", "code", "chat", "style"
]


class Section(pydantic.BaseModel):
    """A table of the configuration; an unknown key is an error, and so is a number not finite."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# One name, or several; two numbers, or one that stands for both.
Names = Annotated[tuple[str, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]
Pair = BeforeValidator(lambda v: [v, v] if isinstance(v, int | float) else v)


def _flat_columns(columns: Any) -> Any:
    """Return a mapping with each list as JSON text: receipts hold texts by field."""
    if not isinstance(columns, dict):
        return columns
    return {k: json.dumps(v) if isinstance(v, list) else v for k, v in columns.items()}


def _checked_columns(columns: dict[str, str]) -> dict[str, str]:
    if columns and (lacking := missing_columns(columns)):
        raise ValueError(f"no column for {lacking[0]!r}; {COLUMNS_EXAMPLE}")
    return columns


def _checked_schema(spec: str) -> str:
    if not re.fullmatch(r"[^:]+\.py:[^\W\d]\w*", spec):
        raise ValueError("FILE.py:CLASS is needed, such as suites/data/schema.py:Row")
    return spec


class Data(Section):
    """The files of the three splits, relative to the project's folder."""

    train: str | None = None
    validation: str | None = None
    test: str | None = None
    general: str | None = None  # questions beside the task, which the model should still answer
    # Of fields or columns that have the names of no known shape.
    columns: Annotated[
        dict[str, str], BeforeValidator(_flat_columns), AfterValidator(_checked_columns)
    ] = {}
    generated: bool = False  # a model wrote the rows: a person must review a sample of them
    system: str | None = None  # the file of the system prompt that is used at inference
    # The field that names what must stay in one split: a user, a document, a conversation. Of
    # several the first that a row has counts: ["parent", "id"] for generated rows.
    group_by: Names = ()
    time_by: str = ""  # the field with the time of a row, for `tunegate split --by-time`
    # Fields that say a row is bad, or counts less, and are not heeded: "label", "weight", "score".
    ignore: Names = ()
    references: str = "references"  # the field with other replies that are right; dots lead inside
    # FILE.py:CLASS, a pandera.DataFrameModel of the rows and answers: `data.row_schema`.
    row_schema: Annotated[str, AfterValidator(_checked_schema)] | None = Field(
        default=None, alias="schema"
    )


class Suites(Section):
    """The folders of the two suites, relative to the project's folder."""

    data: str = DEFAULT_SUITES["data"]
    model: str = DEFAULT_SUITES["model"]


class LabelTable(Section):
    """The table `[label]`: how a label is read from a reply."""

    kind: str = Field(examples=['kind = "exact", "json", "regex" or "set"'])
    fields: Names = ()
    pattern: str = ""
    fold: Names = ()
    transform: str = ""  # FILE.py:FUNCTION of the project: a reply to the text that is read

    @property
    def rule(self) -> LabelRule:
        """The rule that the table names; raises ValueError naming what is valid."""
        rule = label_rule_of_table(self.kind, self.fields, self.pattern, self.fold)
        return transformed(rule, self.transform) if self.transform else rule


def _checked_label(value: Any) -> Any:
    if not isinstance(value, dict):
        label_rule(value if isinstance(value, str) else repr(value))
        return value
    table = parse_settings(LabelTable, value)
    _ = table.rule  # raises ValueError
    return table


class Tokens(Section):
    """How tokens are counted; what is not set here is read from the trainer's section."""

    tokenizer: str | None = None  # a folder or hub name with a chat template, or openai:MODEL
    max_length: int | None = Field(default=None, ge=1)
    epochs: int | None = Field(default=None, ge=1)
    price_per_million: float | None = Field(default=None, ge=0)  # USD, for training tokens


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
ReasonName = Literal[
    "prompting", "knowledge", "stability", "examples", "pays", "confidentiality", "tone"
]


class UnsetLimit(ConfigError, AttributeError):
    """A limit of one's own was asked for, and the configuration does not set it."""

    __module__ = "tunegate"  # a failed test prints it


class OwnLimits(dict[str, float]):
    """`[limits.own]`: `own["name"]` or `own.name`, which raise UnsetLimit; `get` gives None."""

    def __missing__(self, name: str) -> float:
        __tracebackhide__ = True
        raise UnsetLimit(f"set limits.own.{name} in tunegate.toml{did_you_mean(name, list(self))}")

    def __getattr__(self, name: str) -> float:
        __tracebackhide__ = True
        if name.startswith("__"):  # what copy and pickle look for
            raise AttributeError(name)
        return self[name]


class CompareLimits(Section):
    """The limits of the candidate beside one model of `[compare]`; None: shown, without a limit."""

    model_config = pydantic.ConfigDict(strict=True)

    difference: float | None = None  # the candidate's score less that model's, at least
    latency_ratio: Positive | None = None  # the candidate's divided by that model's, at most
    cost_ratio: Positive | None = None


class Limits(Section):
    """The limits of the suites; `own` takes those of your own checks.

    One that is not a whole number is a `Limit`, which carries `mode`; no text or boolean is one.
    """

    model_config = pydantic.ConfigDict(strict=True)

    # Data: format, size and splits.
    fewest_examples: int = Field(default=10, ge=0)
    largest_mb: float = Field(default=512, gt=0)
    fewest_per_class: int | None = Field(default=None, ge=1)  # or in all; None: the task's
    smallest_test: int = Field(default=100, ge=0)
    validation_low: Share = 0.15
    validation_high: Share = 0.20
    psi: float = Field(default=0.25, ge=0)
    drift_auc: Share = 0.8
    # Data: the share that a person reviewed, where a model wrote the rows.
    reviewed: Share = 0.10
    review_errors: Share = 0.05
    # Data: duplicates, leakage, balance.
    similarity: Share = 0.85
    near_duplicates: Share = 0.02
    rarest_class: Share = 0.1
    # Data: diversity. None: shown as a hint, without a limit.
    distinct: Share | None = None
    opening: Share | None = None
    # Data: personal data. Kinds that are not asked for; values, or "@domain", that are public.
    pii_ignore: list[str] = []
    pii_allow: list[str] = []
    pii_names: str = ""  # the model that finds names: "spacy:en_core_web_sm", "transformers:FOLDER"
    surrogates: bool = False  # values that a row lists as invented may stand
    # Models.
    # "lower": the one-sided 95 % bound must hold a limit, the lower bound a `>=`, the upper a `<=`.
    mode: Mode = "point"
    accuracy: Share = 0.95
    macro_f1: Share = 0.90
    improvement: float = Field(default=0.0, ge=-1, le=1)
    judge: Share = 0.90  # share of replies that pass by the rubric
    judge_wins: Share = 0.5  # of comparisons, ties half
    worst_slice: Share | None = None  # None: shown, without a limit
    margin: Share = 0.03  # how much worse than the incumbent is still as good
    chrf: float | None = Field(default=None, ge=0, le=100)
    rouge_l: Share | None = None
    valid_json: Share = 0.99
    contract: Share = 0.99  # of answers that keep `data.schema`
    fields: dict[str, Share] = {}  # of replies in JSON, by path: "total", "address.city"
    parses: Share = 0.95
    # Of answers that are code: their language, or the command that checks one, `{file}` in it.
    language: Literal["python", "json", "bash", "javascript", "typescript"] = "python"
    command: list[str] = []
    tool_calls: Share = 0.95
    # Models: speed and cost. None: shown, without a limit. The last three: relative to baseline.
    latency_p50: Positive | None = None  # seconds
    latency_p95: Positive | None = None  # seconds
    tokens: Positive | None = None  # of question and answer, on average
    cost_per_1000: Positive | None = None  # USD
    latency_ratio: Positive | None = None
    tokens_ratio: Positive | None = None
    cost_ratio: Positive | None = None
    # Models: robustness, memory.
    flips: Share | None = None
    overfitting: float = Field(default=0.05, ge=0)  # the loss over its best, as a share
    cut_off: Share = 0.01
    refusals: Share = 0.01
    forgetting: Share = 0.05
    # Models: with --repeat. The share of rows whose commonest answer is right, any of whose answers
    # is, all of whose answers are. None: shown, without a limit.
    majority: Share | None = None
    pass_at_k: Share | None = None
    pass_hat_k: Share | None = None
    compare: dict[str, CompareLimits] = {}  # by the names of [compare]
    own: Annotated[OwnLimits, GetPydanticSchema(lambda _, of: of(dict[str, float]))] = Field(
        default_factory=OwnLimits
    )

    @pydantic.model_validator(mode="after")
    def _carry_mode(self) -> "Limits":
        """Give each limit the mode; the fields are frozen, so it is done in place."""
        low, high = self.validation_low, self.validation_high
        if low > high:
            raise ValueError(f"validation_low = {low} is above validation_high = {high}")
        for limits in (self, *self.compare.values()):
            for name, value in limits:
                if isinstance(value, float):
                    limits.__dict__[name] = Limit(value, self.mode)
        for table in ("own", "fields"):
            values = getattr(self, table).items()
            self.__dict__[table] = OwnLimits({name: Limit(v, self.mode) for name, v in values})
        return self

    def __repr__(self) -> str:
        """Return a short form, since pytest shows it beside every failed comparison."""
        return "<limits>"


def _checked_judges(models: tuple[str, ...], info: pydantic.ValidationInfo) -> tuple[str, ...]:
    if models and not info.data.get("rubric"):
        raise ValueError("rubric is missing: the path of a TOML file; docs/judge.md shows one")
    if len(set(models)) < len(models):
        raise ValueError("a model stands twice in models; `repetitions` asks one again")
    return models


class Judge(Section):
    """The models that judge replies, their rubric, and what their agreement with people must be."""

    rubric: str | None = None  # a TOML file
    models: Annotated[Names, AfterValidator(_checked_judges)] = ()  # any model specs
    labels: str | None = None  # grades that people gave to replies: JSONL
    repetitions: int = Field(default=1, ge=1, le=25)
    # "Substantial" agreement begins at 0.6: Landis & Koch (1977), Biometrics 33:159-174.
    kappa: float = Field(default=0.6, gt=0, le=1)
    swap_consistency: Share = 0.8
    # With fewer, the interval of kappa is wider than 0.5: it tells no good judge from a bad one.
    fewest_labels: int = Field(default=30, ge=10)


class Readiness(Section):
    """What `pytest suites/readiness` is told, and the limits of its reasons.

    What is unset and cannot be measured is asked for by name. Prices are USD per million tokens.
    """

    gate: bool = False  # another verdict than "fine-tune" fails the suite, and closes the data gate
    leave_out: tuple[ReasonName, ...] = ()  # reasons that do not count
    rows: int = Field(default=200, ge=20)  # validation rows that models are asked, at most
    prompt: str | None = None  # the model that is prompted: a strategy or a model spec, no run:ID
    retrieval: str | None = None  # the same, with documents
    cost_per_1000: Positive | None = None  # USD that 1,000 requests to either may cost
    latency_p95: Positive | None = None  # seconds in which 95 of 100 answers must come
    facts: Share = 0.5  # replies that name facts which their questions do not, at most
    changes_every_days: Positive | None = None  # days for which right answers stay right
    retraining_days: Positive | None = None  # from new examples to a promoted model
    stale: Share = 0.1  # the second as a share of the first, at most
    # How many, or the least and the most there may be: [80_000, 120_000].
    requests_per_month: Annotated[tuple[Positive, Positive], Pair] | None = None
    price_in: NotNegative | None = None  # of the prompted model; unset: what its answers have cost
    price_out: NotNegative | None = None  # the same, of answers
    tuned_price_in: NotNegative | None = None  # of the tuned model
    tuned_price_out: NotNegative | None = None  # the same, of answers
    tuned_tokens: Positive | None = None  # of a question to it; unset: as the baseline counts
    tuned_per_month: NotNegative = 0.0  # USD that it costs beside its tokens: a server
    training_cost: NotNegative | None = None  # USD for the first training, examples included
    retraining_cost: NotNegative | None = None  # USD for each of the later ones
    pays_within: Positive = 12.0  # months in which the training must have paid
    confidential: bool | None = None  # true: what is asked may not stand in a prompt
    tone: Share = 0.8  # training replies that have the commonest form, at least


class Shadow(Section):
    """What `pytest suites/shadow` replays, and the limits of its tests; None: shown, no limit."""

    log: Names = ()  # patterns of files, from the project's folder: logged requests
    incumbent: str = "production"  # an alias; before its first promotion, the replies in the log
    rows: int = Field(default=10_000, ge=20)  # requests that are replayed, at most
    judged: int = Field(default=200, ge=1)  # pairs of replies that the judge reads, at most
    agreement: Share = 0.9  # replies with the label that production's have, at least
    errors: Share = 0.01  # requests without a reply, at most
    far: Share | None = None  # requests farther from training than 95 % of its rows are, at most


class Compared(Section):
    """A model that the candidate is compared with."""

    model: str = Field(examples=['model = "openai:gpt-4o-mini"'])  # any model spec


class ProgramTable(Section):
    """A program in any language: a check in `[checks.NAME]`, a model in `[models.NAME]`."""

    # Words, run without a shell.
    command: tuple[str, ...] = Field(min_length=1, examples=['command = ["node", "house.mjs"]'])
    files: Names = ()  # patterns below the root: more files that decide what it does
    timeout: float = Field(default=60.0, gt=0)  # seconds in which it neither reads nor writes
    memory: int = Field(default=4_096, ge=1)  # megabytes

    def program(self, name: str, root: Path) -> Program:
        """Return the program with its name and the root of the project."""
        return Program(name, self.command, root, self.files, self.timeout, self.memory)


class StrategyTable(Section):
    """A model behind a prompt of its own, in `[models.NAME]`: `--model NAME`."""

    # The model that answers: a model spec, no run:ID.
    of: str = Field(examples=['of = "openai:gpt-4o-mini"'])
    system: str | None = None  # the file of a text that stands before the system message of a row
    # Examples as earlier turns: a file of rows, or the number of training rows.
    shots: str | Annotated[int, Field(ge=1)] | None = None
    # Which training rows: any, as many of each label, or those most like the question (BM25).
    pick: Literal["random", "balanced", "nearest"] = "balanced"
    seed: int = 0  # of the draw
    documents: Names = ()  # patterns below the root: texts whose passages answer questions
    top: int = Field(default=5, ge=1)  # the passages that are shown, the best by BM25


class Config(Section):
    """The whole configuration, with defaults filled in."""

    task: Task = "classification"
    ask: Literal["all", "certain", "sequential"] | None = None  # "certain" where there is a budget
    baseline: str | None = None  # any model spec: another spelling of [compare.baseline]
    compare: dict[str, Compared] = {}
    # How a label is read from an answer: "exact", "json:FIELD", "regex:PATTERN", or a table.
    label: Annotated[str | LabelTable, WrapValidator(lambda v, _: _checked_label(v))] = "exact"
    data: Data = Data()
    suites: Suites = Suites()
    limits: Limits = Limits()
    judge: Judge = Judge()
    readiness: Readiness = Readiness()
    shadow: Shadow = Shadow()
    checks: dict[str, ProgramTable] = {}
    train: dict[str, dict[str, Any]] = {}
    tokens: Tokens = Tokens()
    store: dict[Literal["folder"], str] = {}  # of runs and snapshots, for other machines
    models: dict[str, dict[str, Any]] = {}  # each validated by what opens the model

    @pydantic.model_validator(mode="after")
    def _name_compared(self) -> Self:
        """Give each model of `[compare]` its limits, those of no model being an error."""
        if self.baseline is not None and "baseline" in self.compare:
            raise ValueError("baseline and [compare.baseline] are the same: set one of them")
        for name in self.limits.compare:
            if name not in self.compared:
                hint = did_you_mean(name, [*self.compared])
                raise ValueError(f"limits.compare.{name}: no model [compare.{name}]{hint}")
        for name in self.compared:
            self.limits.compare.setdefault(name, CompareLimits())
        return self

    @property
    def compared(self) -> dict[str, str]:
        """The specs of the models that the candidate is compared with, by name."""
        baseline = {} if self.baseline is None else {"baseline": self.baseline}
        return baseline | {name: compared.model for name, compared in self.compare.items()}

    @property
    def strategies(self) -> set[str]:
        """The names of the tables of `[models]` that put a prompt before another model."""
        return {name for name, table in self.models.items() if "of" in table}

    @property
    def label_rule(self) -> LabelRule:
        """The rule that `label` names; for `multilabel`, a set unless it says otherwise."""
        if isinstance(self.label, LabelTable):
            return self.label.rule
        is_set = self.task == "multilabel" and self.label == "exact"
        return label_rule_of_table("set") if is_set else label_rule(self.label)

    @property
    def reading(self) -> Reading:
        """How the rows of the project are read: labels, groups, times."""
        data = self.data
        return Reading(self.label_rule, data.group_by, data.time_by, data.ignore, data.references)


def load(root: Path) -> Config:
    """Return a project's configuration; raises ConfigError naming key or value, and valid ones."""
    path, table = read_table(root)
    label = table.get("label")
    if isinstance(label, dict) and isinstance(label.get("transform"), str):
        table["label"] = {**label, "transform": str(root / label["transform"])}
    try:
        return Config.model_validate(table)
    except pydantic.ValidationError as error:
        lines = [f"{path}: {explain_error(e, Config)}" for e in error.errors()]
        raise ConfigError("\n".join(lines)) from None


def load_here() -> tuple[Path | None, Config]:
    """Return the project around the working folder and its configuration; None and the defaults."""
    root = find_root(Path.cwd())
    return root, load(root) if root else Config()


T = TypeVar("T", bound=pydantic.BaseModel)


def parse_settings(model: type[T], values: Mapping[str, Any]) -> T:
    """Return a plugin's settings with defaults; raises ValueError naming each bad key or value."""
    try:
        return model.model_validate(dict(values))
    except pydantic.ValidationError as error:
        # A value of a union has an error for each of its types: one message for each key.
        by_key = groupby(error.errors(), key=lambda e: str(e["loc"][0]))
    messages = []
    for _, (first, *more) in by_key:
        needs = dict.fromkeys(str(e["msg"]).removeprefix("Input ") for e in (first, *more))
        wrong = {**first, "loc": first["loc"][:1], "msg": f"the value {' or '.join(needs)}"}
        messages.append(explain_error(wrong, model))
    raise ValueError("; ".join(messages))


def explain_error(error: Any, model: type[pydantic.BaseModel], *, show_value: bool = True) -> str:
    """Return a line for an item of pydantic's `errors()`: key, value (`show_value`), valid ones."""
    message = re.sub("valid dictionary.*", "table", error["msg"].removeprefix("Value error, "))
    message = re.sub("valid (list|tuple)$", "list in [ ]", message)
    if not error["loc"]:
        return str(message)
    *tables, key = [str(part) for part in error["loc"]]
    path = ".".join([*tables, key])
    if error["type"] not in ("extra_forbidden", "missing"):
        return f"{path} = {error['input']!r}: {message}" if show_value else f"{path}: {message}"
    for table in tables:
        if table in model.model_fields:  # else a place in a list, or a key in a dict, of tables
            annotation = model.model_fields[table].annotation
            types = [t for t in (annotation, *get_args(annotation)) if isinstance(t, type)]
            model = next((t for t in types if issubclass(t, pydantic.BaseModel)), model)
    if error["type"] == "missing":
        examples = key in model.model_fields and model.model_fields[key].examples
        return f"{path} is missing{f': write {examples[0]}' if examples else ''}"
    valid = [field.alias or name for name, field in model.model_fields.items()]
    return f"unknown key {path!r}{did_you_mean(key, valid)}; valid here: {', '.join(valid)}"
