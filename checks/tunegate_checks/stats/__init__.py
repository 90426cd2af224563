"""Statistics that know no model: bootstrap, tests of proportions, kappa."""
