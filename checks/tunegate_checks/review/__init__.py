"""Reviews by people: draw a random sample of rows, read the filled-in sheets, sum them up."""
