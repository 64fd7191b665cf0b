"""Programs: score, tune, train, evaluate, verify, prune. The only room that sees a Job."""

import logging

from pipelines.import_path import leave_out_current_folder
from pipelines.start_up import import_quickly

# Before anything else is imported.
leave_out_current_folder()
import_quickly()

# Importing Beam logs a warning that its BigQuery parts are not installed; nothing here uses them. Programs set the level again.
logging.getLogger().setLevel(logging.ERROR)
