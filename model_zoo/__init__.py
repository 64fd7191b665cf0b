"""Models: packages, networks, engines, preprocessing steps, scoring, training. Nothing here knows Beam."""

from model_zoo.library_caches import keep_library_caches_private
from model_zoo.telemetry import forbid_telemetry

# Before any library is imported that looks for its cache: every worker comes by here.
keep_library_caches_private()
# And before any is imported that would report its use.
forbid_telemetry()
