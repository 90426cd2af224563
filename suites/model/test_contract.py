"""The answers keep the contract of the data, `data.schema`: types, labels, lengths."""

from tunegate import LabelRule, Limits, Predictions
from tunegate.data.row_schema import RowSchema
from tunegate_checks.model import contract


def test_contract(
    clean: Predictions, row_schema: RowSchema, label_rule: LabelRule, limits: Limits
) -> None:
    assert contract.kept(clean, row_schema, label=label_rule) >= limits.contract
