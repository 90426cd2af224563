"""Writes one run as one HTML page: `gather` reads the files, `render` makes the page."""
