"""A schema that some golden rows break."""

import pandera.pandas as pa
from pandera.typing import Series


class Row(pa.DataFrameModel):
    prompt: Series[str] = pa.Field(str_length={"max_value": 70})
    label: Series[str] = pa.Field(isin=["account", "billing", "delivery", "technical"])
