"""Programs: score, train, evaluate, verify. The only room that sees a Job."""

import logging

# Importing Beam logs a warning that its BigQuery parts are not installed; nothing here uses them. Programs set the level again.
logging.getLogger().setLevel(logging.ERROR)
