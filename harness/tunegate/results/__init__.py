"""The values that checks take and return: findings, scores, predictions, outcomes, labels."""
