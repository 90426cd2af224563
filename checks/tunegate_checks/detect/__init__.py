"""Personal data in text: shapes, check digits and the words around a number."""

from .engine import personal_spans as personal_spans
from .rule import Span as Span
