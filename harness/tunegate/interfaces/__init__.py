"""What the author of a trainer or a model implements, and how installed ones are found."""
