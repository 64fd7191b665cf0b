"""The table of protocols: a new one is a file in this folder, and its line below."""

from configs.errors import JobError
from configs.suggest import nearest
from model_zoo.extras import import_extra
from model_zoo.remote.client import Client
from model_zoo.remote.target import Target

# By the word in jobs, `module:function` that makes a client. Imported only when it is asked for.
PROTOCOLS = {
    "oip-grpc": "model_zoo.remote.oip_grpc:connect_oip_grpc",
    "oip-http": "model_zoo.remote.oip_http:connect_oip_http",
    "tensorflow-grpc": "model_zoo.remote.tensorflow_grpc:connect_tensorflow_grpc",
    "tensorflow-http": "model_zoo.remote.tensorflow_http:connect_tensorflow_http",
    "torchserve-http": "model_zoo.remote.torchserve_http:connect_torchserve_http",
}


def connect(target: Target) -> Client:
    """Return a client of a model in a server; nothing is sent yet.

    Raises:
        JobError: there is no such protocol, its libraries are not installed, or the target cannot
            be meant so.
    """
    if target.protocol not in PROTOCOLS:
        hint = nearest(target.protocol, sorted(PROTOCOLS))
        raise JobError(f"protocol {target.protocol!r} is unknown{hint}")
    place = PROTOCOLS[target.protocol]
    module_name, _, function = place.partition(":")
    module = import_extra(
        module_name,
        f"protocol {target.protocol} needs libraries that are not installed here; "
        "install its extra where workers run: pip install '.[remote]'",
    )
    make = getattr(module, function)
    client: Client = make(target)
    return client
