"""Only the page that the viewer itself has sent may talk to it: a secret in its address, and its origin."""

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from handrefine.errors import InputError

#: What `websockets` asks of a request before it is answered: None goes on with the connection.
ProcessRequest = Callable[[Any, Any], Any]


def guard(process_request: ProcessRequest, token: str) -> ProcessRequest:
    """The same for those requests alone whose path begins with the token, which it then lacks.

    A page of another origin can open a websocket to this machine, which browsers do not prevent. It neither knows
    the token nor, should that have leaked, has it our origin.
    """

    def guarded(connection: Any, request: Any) -> Any:
        first, _, rest = request.path.partition("?")[0].lstrip("/").partition("/")
        if not hmac.compare_digest(first.encode(), token.encode()):
            return connection.respond(HTTPStatus.FORBIDDEN, "open the address that `handrefine view` printed\n")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            origin = urlsplit(request.headers.get("Origin", "")).netloc
            if not origin or origin != request.headers.get("Host"):
                return connection.respond(HTTPStatus.FORBIDDEN, "another page may not look at this run\n")
            return None
        request.path = f"/{rest}"
        return process_request(connection, request)

    return guarded


@contextmanager
def guarded_servers(token: str) -> Iterator[None]:
    """Servers of `websockets` that start within the block are guarded; viser lets nobody in otherwise.

    Raises:
        InputError: none has started that could be guarded.
    """
    from websockets.asyncio import server  # pyright: ignore[reportMissingImports]  (comes with viser)

    serve, guarded = server.serve, []

    def serve_guarded(*positional: Any, process_request: ProcessRequest, **named: Any) -> Any:
        guarded.append(True)
        return serve(*positional, process_request=guard(process_request, token), **named)

    server.serve = serve_guarded
    try:
        yield
    finally:
        server.serve = serve
    if not guarded:
        raise InputError("this version of viser cannot be kept from foreign pages", fix="pip install viser==1.1.1")
