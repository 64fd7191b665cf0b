"""What MLServer runs: runtimes of its own kind, which a model's `model-settings.json` names."""

import asyncio

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceResponse, ResponseOutput
from network import Network, RefusedValue
import numpy as np


class Logistic(MLModel):
    """The network; `seconds` of its parameters makes each request slower."""

    async def load(self):
        self._network = Network(self.settings.parameters.uri)
        self._seconds = self.settings.parameters.extra.get("seconds", 0)
        return True

    async def predict(self, payload):
        await asyncio.sleep(self._seconds)
        features = NumpyCodec.decode_input(payload.inputs[0])
        try:
            scores = self._network.score(features)
        except RefusedValue as error:
            raise InferenceError(str(error)) from error
        output = NumpyCodec.encode_output("probability", scores)
        return _answer(self, [output])


class Words(MLModel):
    """Makes words of texts by itself, and counts them; one text cannot be read."""

    async def load(self):
        return True

    async def predict(self, payload):
        texts = StringCodec.decode_input(payload.inputs[0])
        if "unreadable" in texts:
            raise InferenceError("a text cannot be read")
        counts = np.array([[len(text.split())] for text in texts], np.float32)
        return _answer(self, [NumpyCodec.encode_output("words", counts)])


class Echo(MLModel):
    """Gives every input back as an output of its name."""

    async def load(self):
        return True

    async def predict(self, payload):
        outputs = [
            ResponseOutput(
                name=one.name,
                shape=one.shape,
                datatype=one.datatype,
                data=one.data,
                parameters=one.parameters,
            )
            for one in payload.inputs
        ]
        return _answer(self, outputs)


def _answer(model, outputs):
    return InferenceResponse(model_name=model.name, model_version=model.version, outputs=outputs)
