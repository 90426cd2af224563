"""One run as one HTML page: `gather` reads, `page` says what is shown, `html` renders it."""
