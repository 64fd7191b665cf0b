"""The six steps of the graph, one file each, and what passes between them (`batches.py`).

In the order of the flow: read, preprocess, predict, postprocess, write, publish.
"""
