"""The rule for dates of birth: a date beside a word such as "born"."""

from .rule import Rule

_MONTH = (
    r"(?:jan|feb|fev|mar|apr|abr|may|mai|jun|jul|aug|ago|sep|set|oct|out|nov|dec|dez)[a-zç]{0,7}\.?"
)
_DATE_FORMATS = (
    r"\d{1,2}(?P<a>[/.\-])\d{1,2}(?P=a)(?:\d{4}|\d{2})",
    r"(?:19|20)\d\d(?P<b>[/.\-])\d{1,2}(?P=b)\d{1,2}",
    rf"\d{{1,2}}(?:º|st|nd|rd|th)? (?:de |of )?{_MONTH},? (?:de )?(?:19|20)\d\d",
    rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d",
)
_DATE = rf"(?<![\w/.\-])(?:{'|'.join(_DATE_FORMATS)})(?!\w|[/.\-]\w)"

RULES = (
    Rule("birth_date", _DATE, label_families=("birth_date",), needs_own_label=True, min_digits=4),
)
