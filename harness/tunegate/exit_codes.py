"""The exit codes that tunegate adds to pytest's own: 0 passed, 1 failed or closed, 2-5."""

TRAINING_FAILED = 70
UNMEASURABLE = 75
PROMOTION_REFUSED = 77
