"""With `--each-example` each test example is a test: one wrong answer closes the gate."""

from tunegate import LabelRule, Prediction


def test_example(prediction: Prediction, label_rule: LabelRule) -> None:
    assert not prediction.error
    expected, got = label_rule.labels_of(prediction)
    assert got == expected, prediction.prompt
