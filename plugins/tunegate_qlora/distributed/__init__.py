"""Trains one run with several processes, here or on several machines."""
