"""Generate rows after a few seed rows: plan them, ask a model, refuse what does not hold."""
