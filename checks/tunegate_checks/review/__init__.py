"""Review by people: a random sample as a sheet, filled in by somebody who knows the field."""
