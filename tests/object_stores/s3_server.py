"""moto's S3 server, one request at a time: `python -m tests.object_stores.s3_server PORT`.

moto looks whether an object is there and puts it in two steps, so that of two conditional puts at once both may succeed; S3 says
that one does. Serving one request at a time makes moto's as atomic as those of S3.
"""

from collections.abc import Callable, Iterable
import io
import sys
from threading import Lock
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


class OneAtATime:
    """A WSGI application whose requests wait for each other, but not for a slow client."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"] = io.BytesIO(
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        )
        with self._lock:
            return list(self._application(environ, start_response))


if __name__ == "__main__":
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    make_server(
        "127.0.0.1",
        int(sys.argv[1]),
        application,
        threaded=True,
        request_handler=MotoRequestHandler,
    ).serve_forever()
