"""Models: packages, networks, engines, preprocessing steps, scoring, training. Nothing here knows Beam."""
