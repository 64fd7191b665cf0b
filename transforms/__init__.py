"""Verbs, one file per edge of the graph; the edges are in `batches.py`.

In the order of the flow: read, preprocess, predict, postprocess, write, publish.
"""
