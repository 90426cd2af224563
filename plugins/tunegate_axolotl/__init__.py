"""Export a run to Axolotl, and import a model that was trained elsewhere."""
