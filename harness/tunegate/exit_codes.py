"""Exit codes beside those of pytest (0 passed, 1 failed or gate closed, 2 to 5)."""

TRAINING_FAILED = 70
UNMEASURABLE = 75
PROMOTION_REFUSED = 77
INTERRUPTED = 130  # 128 + SIGINT
OUTPUT_CLOSED = 141  # 128 + SIGPIPE, which a shell shows for `git log | head` too
