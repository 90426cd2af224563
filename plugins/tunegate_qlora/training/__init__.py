"""The training loop: objective, loss, callbacks, checkpoints, verification."""
