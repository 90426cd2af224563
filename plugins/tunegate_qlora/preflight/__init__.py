"""What would make a training fail, found before it starts."""
