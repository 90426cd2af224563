"""The pattern of replies that refuse or apologise."""

import re

# At the start of a reply; English and Portuguese.
REFUSAL_START = re.compile(
    r"^\W*(?:(?:i'?m|i am|we are|we're)\s+(?:very\s+|really\s+)?(?:sorry|afraid|unable)"
    r"|i\s+(?:can'?t|cannot|won'?t|do\s*n[o']t\s+(?:know|have))|sorry\b|unfortunately,?\s+i"
    r"|as an? (?:ai|language model)"
    r"|(?:sinto muito|lamento|desculpe|infelizmente|perdão)\b"
    r"|(?:eu\s+)?não\s+(?:posso|consigo|sei|tenho\s+(?:como|informaç))"
    r"|como (?:um |uma )?(?:ia|modelo de linguagem|inteligência artificial)\b)",
    re.IGNORECASE,
)
