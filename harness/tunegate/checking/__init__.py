"""`@check`: names, fingerprints, accepted findings and parallel row checks."""
