"""Each test example as a test of its own: `pytest suites/model --model latest --each-example`.

For a report that lists every example, or a test set where every answer must be right: one wrong
answer fails its test and closes the gate. The answers come from the cache.
"""

from tunegate import LabelRule, Prediction


def test_example(prediction: Prediction, label: LabelRule) -> None:
    assert not prediction.error
    assert label.read(prediction.got) == label.read(prediction.expected), prediction.prompt
