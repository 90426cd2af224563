"""Detects personal data in text by patterns, check digits and the labels around a number."""

from .engine import personal_spans as personal_spans
from .rule import Span as Span
