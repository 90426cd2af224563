"""Balance: does every class have its share of the examples? For classification.

A class that is hardly there is hardly learnt, and the accuracy over all classes hides it.
"""

from __future__ import annotations

import re

# Ways to refuse, at the start of a reply; English and Portuguese.
REFUSAL_START = re.compile(
    r"^\W*(?:(?:i'?m|i am|we are|we're)\s+(?:very\s+|really\s+)?(?:sorry|afraid|unable)"
    r"|i\s+(?:can'?t|cannot|won'?t|do\s*n[o']t\s+(?:know|have))|sorry\b|unfortunately,?\s+i"
    r"|as an? (?:ai|language model)"
    r"|(?:sinto muito|lamento|desculpe|infelizmente|perdão)\b"
    r"|(?:eu\s+)?não\s+(?:posso|consigo|sei|tenho\s+(?:como|informaç))"
    r"|como (?:um |uma )?(?:ia|modelo de linguagem|inteligência artificial)\b)",
    re.IGNORECASE,
)
