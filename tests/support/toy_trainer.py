"""A trainer of ten lines, as a conftest.py of a project in a test registers it."""

# The class, up to its method `train(self, plan, folder)`, which each conftest.py writes itself.
TOY_TRAINER = """\
class Toy:
    name = "toy"
    def resolve(self, config, root): return {"base": "toy:base", "seed": 0, **config}
    def base_digest(self, config, root): return "base"
    def baseline(self, config): return config["base"]
    def preflight(self, plan): return []
"""
