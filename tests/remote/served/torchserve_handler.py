"""What TorchServe runs, archived with the network and its weights: rows of numbers in, one probability for each row out."""

from pathlib import Path

from network import Network
import numpy as np


class Handler:
    """Called with the instances of the server's JSON envelope."""

    def initialize(self, context):
        folder = Path(context.system_properties["model_dir"])
        self._network = Network(folder / "fitted.json")

    def handle(self, rows, context):
        scores = self._network.score(np.asarray(rows, np.float32))
        return scores[:, 0].tolist()
