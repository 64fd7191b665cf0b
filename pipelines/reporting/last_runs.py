"""How long a report's history is, apart from what makes reports: help tells it."""

# A month of nights.
LAST_RUNS = 30
