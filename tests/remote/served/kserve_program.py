"""What starts KServe's model server with our network: `python kserve_program.py WEIGHTS COLUMNS SECONDS --http_port=... --grpc_port=...`."""

import sys
import time

import grpc
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.errors import InvalidInput
from network import Network, RefusedValue
import uvicorn

LOOPBACK = "127.0.0.1"


class Logistic(Model):
    """The network, as a model of KServe's, which has no versions."""

    def __init__(self, weights, columns, seconds):
        super().__init__("churn")
        self._network = Network(weights)
        self._columns = columns
        self._seconds = seconds
        self.ready = True

    async def get_input_types(self):
        return [{"name": "features", "datatype": "FP32", "shape": [-1, self._columns]}]

    async def get_output_types(self):
        return [{"name": "probability", "datatype": "FP32", "shape": [-1, 1]}]

    def predict(self, payload, headers=None, response_headers=None):
        time.sleep(self._seconds)
        try:
            scores = self._network.score(payload.inputs[0].as_numpy())
        except RefusedValue as error:
            raise InvalidInput(str(error)) from error
        output = InferOutput("probability", list(scores.shape), "FP32")
        # As the client asks: numbers in JSON or typed contents, or bytes.
        is_binary = payload.use_binary_outputs
        output.set_data_from_numpy(scores, binary_data=is_binary)
        return InferResponse(payload.id, self.name, [output], use_binary_outputs=is_binary)


def stay_on_this_machine():
    """Have KServe listen on the loopback address: it listens on all that a machine has, and no flag says less."""
    make_config, make_server = uvicorn.Config, grpc.aio.server

    def make_config_of_loopback(app, **options):
        return make_config(app, **{**options, "host": LOOPBACK})

    def make_server_of_loopback(*arguments, **options):
        server = make_server(*arguments, **options)
        listen = server.add_insecure_port
        server.add_insecure_port = lambda address: listen(address.replace("[::]", LOOPBACK))
        return server

    uvicorn.Config, grpc.aio.server = make_config_of_loopback, make_server_of_loopback


if __name__ == "__main__":
    stay_on_this_machine()
    weights, columns, seconds = sys.argv[1:4]
    ModelServer().start([Logistic(weights, int(columns), float(seconds))])
