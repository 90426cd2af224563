"""Personal data in text: shapes, check digits and the words around a number."""

from .engine import spans as spans
from .rule import Span as Span
