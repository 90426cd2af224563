"""Each test example as a test of its own: `pytest suites/model --model latest --each-example`.

For a report that lists every example, or a test set where every answer must be right: one wrong
answer fails its test and closes the gate. The answers come from the cache.
"""

from tunegate import LabelRule, Prediction


def test_example(prediction: Prediction, label_rule: LabelRule) -> None:
    assert not prediction.error
    expected = label_rule.read(prediction.expected)
    assert label_rule.read(prediction.got) == expected, prediction.prompt
