"""Lets the tests of both suites import `house_style`, which stands beside this file."""
