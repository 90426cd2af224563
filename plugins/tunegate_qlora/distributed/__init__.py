"""Train one run with several processes, on this machine or on several."""
