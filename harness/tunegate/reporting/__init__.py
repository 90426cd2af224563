"""Turns values into lines for the terminal and into one HTML page."""
