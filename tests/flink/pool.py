"""Beam's worker pool on one address: `python -m tests.flink.pool 127.0.0.2:50000`.

`apache_beam.runners.worker.worker_pool_main` is the same service on every address of its machine, so that a machine has one per
port. Here two TaskManagers share a machine and need one each: both name their workers 1-1, 2-1 ..., and in a common pool one would
stop the other's.
"""

import logging
import signal
import sys

from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils import thread_pool_executor
import grpc


def main(address: str) -> None:
    logging.basicConfig(level=logging.INFO)
    server = grpc.server(thread_pool_executor.shared_unbounded_instance())
    servicer = BeamFnExternalWorkerPoolServicer(use_process=True)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(servicer, server)
    server.add_insecure_port(address)
    server.start()
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
