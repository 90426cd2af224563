"""Detects personal data in text by patterns, check digits and the labels around a number."""
