"""Hold answers to the contract that the data keeps: the pandera schema of `data.schema`."""

from tunegate import Example, Finding, Findings, LabelRule, Predictions, Score
from tunegate.data.dataset import Reading
from tunegate.data.formats.row_format import assistant_message
from tunegate.data.row_schema import WHOLE_ROW, RowSchema, json_object
from tunegate.results.labels import exact
from tunegate.utils.text import shorten

from ..stats import share


def kept(predictions: Predictions, schema: RowSchema, *, label: LabelRule = exact) -> Score:
    """Return the share of answers that the schema lets pass as replies to their rows.

    What counts are `reply`, `label`, `reply.FIELD` and rules on the whole row: other columns are
    the test set's. A rule on all rows that does not hold counts against each answer. With a
    `reply.FIELD`, the answer to a row whose reply is a JSON object must be one, nullable or not.
    """
    examples, n = list[Example](), len(predictions)
    for number, p in enumerate(predictions):
        # Fields of the row that are named like one of the reply would stand in the answer's place.
        own = {k: v for k, v in p.fields.items() if not k.startswith("reply.")}
        fields = {**own, "messages": [*p.given, assistant_message(p.got)]}
        examples += [] if p.error else [Example(number, p.line, fields, Reading(label))]
    wrong, broken = [p.finding("no answer", p.error) for p in predictions if p.error], set[int]()
    has_fields = any(name.startswith(("reply.", r"reply\.")) for name in schema.schema.columns)
    for number, p in enumerate(predictions if has_fields else ()):
        if not p.error and json_object(p.expected) is not None and json_object(p.got) is None:
            broken.add(number)
            wrong.append(p.finding("reply", f"{shorten(repr(p.got), 60)}: no JSON object"))
    for example, column, fault in schema.faults(examples):
        if column in ("reply", "label", WHOLE_ROW) or column.startswith("reply."):
            broken |= {example.row} if example else {*range(n)}
            finding = predictions[example.row].finding if example else Finding.of_dataset
            wrong.append(finding(column, fault))
    hits = [number not in broken and not p.error for number, p in enumerate(predictions)]
    misses = Findings("contract", wrong, split="test", n=n)
    return share("contract", hits, predictions, misses=misses, signature="data.schema")
