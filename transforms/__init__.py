"""Verbs, one file per edge, in flow order: read, preprocess, predict, postprocess, write, publish; the edges are in batches."""
