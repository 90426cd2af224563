"""Exports a run to Axolotl, and imports a model that was trained elsewhere."""
