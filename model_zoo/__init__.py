"""Brains: model packages, the Scorer, architectures, training. No Beam."""
