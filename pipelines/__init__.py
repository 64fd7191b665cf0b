"""Programs: score, train, evaluate, verify. The only room that sees a Job."""

import logging

from pipelines.import_path import leave_out_current_folder

# Before anything else is imported.
leave_out_current_folder()

# Importing Beam logs a warning that its BigQuery parts are not installed; nothing here uses them. Programs set the level again.
logging.getLogger().setLevel(logging.ERROR)
