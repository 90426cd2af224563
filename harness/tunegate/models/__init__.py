"""Opens a model from its spec, and asks it through the answer cache."""
