"""Serve a folder to the browser on this machine, and to nobody else."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
"""Browsers let a page from this address use the camera, and nobody else reaches it."""


class PageHandler(SimpleHTTPRequestHandler):
    """Gives files with the types that browsers insist on."""

    extensions_map = {  # noqa: RUF012 - the base class has it so
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".js": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, format: str, *args: Any) -> None:
        """Tell nobody of each file."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


def server_of(folder: Path, *, port: int = 0) -> ThreadingHTTPServer:
    """Make a server of a folder's files; port 0 takes any that is free (`server_port`)."""
    try:
        return ThreadingHTTPServer((HOST, port), partial(PageHandler, directory=str(folder)))
    except OSError as error:
        raise ValueError(f"`port` {port} cannot be served: {error.strerror}.") from error
