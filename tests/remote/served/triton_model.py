"""What Triton's Python backend runs: the network, from the folder that this file was copied to.

Its interpreter starts isolated, without PYTHONPATH, and finds libraries only where this file says that they are.
"""

import os
from pathlib import Path
import sys

sys.path.append(os.environ["TRITON_LIBRARIES"])
sys.path.append(str(Path(__file__).parent))

from network import Network, RefusedValue
import triton_python_backend_utils as triton


class TritonPythonModel:
    """The network; Triton calls it with requests that it may have put together."""

    def initialize(self, arguments):
        self._network = Network(Path(__file__).with_name("fitted.json"))

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        features = triton.get_input_tensor_by_name(request, "features").as_numpy()
        try:
            scores = self._network.score(features)
        except RefusedValue as error:
            refused = triton.TritonError(str(error), triton.TritonError.INVALID_ARG)
            return triton.InferenceResponse(error=refused)
        return triton.InferenceResponse([triton.Tensor("probability", scores)])
