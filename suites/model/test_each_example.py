"""With `--each-example` each test example is a test: one wrong answer closes the gate."""

from tunegate import LabelRule, Prediction


def test_example(prediction: Prediction, label_rule: LabelRule) -> None:
    assert not prediction.error
    expected = label_rule.read(prediction.expected)
    assert label_rule.read(prediction.got) == expected, prediction.prompt
