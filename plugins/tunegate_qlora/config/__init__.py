"""The settings of `[train.qlora]` and their presets."""
