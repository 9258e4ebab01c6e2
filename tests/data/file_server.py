"""A web server on loopback that behaves as badly as a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import threading
import time


@dataclass
class Served:
    """The files, by path, and how they are served.

    - `ranges`: whether `Range` is understood; `etag`: sent as it is, or None;
    - `cut_after`: for each request in turn, after how many bytes it is cut off;
    - `statuses`: for each request in turn, an HTTP error instead of the file;
    - `pause`: seconds between pieces of 4096 bytes.
    """

    files: dict[str, bytes]
    ranges: bool = True
    etag: str | None = '"one"'
    cut_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    pause: float = 0.0
    address: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    @property
    def asked_ranges(self) -> list[str | None]:
        return [request.get("range") for request in self.requests]


@contextmanager
def serve(served: Served) -> Iterator[Served]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, served)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(request: BaseHTTPRequestHandler, served: Served) -> None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    served.requests.append(headers)
    content = served.files.get(request.path.lstrip("/"))
    status = served.statuses.pop(0) if served.statuses else (404 if content is None else 0)
    if status or content is None:
        request.send_error(status)
        return
    same = headers.get("if-range") in (None, served.etag)
    wants_range = served.ranges and "range" in headers and same
    start = int(headers["range"].removeprefix("bytes=").rstrip("-")) if wants_range else 0
    if wants_range and start >= len(content):
        request.send_response(416)
        request.send_header("Content-Range", f"bytes */{len(content)}")
        request.end_headers()
        return
    request.send_response(206 if wants_range else 200)
    if wants_range:
        request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    if served.etag:
        request.send_header("ETag", served.etag)
    request.send_header("Content-Length", str(len(content) - start))
    request.end_headers()
    body = content[start:]
    if served.cut_after:
        body = body[: served.cut_after.pop(0)]
    send(request, body, served.pause)


def send(request: BaseHTTPRequestHandler, body: bytes, pause: float) -> None:
    try:
        for start in range(0, len(body), 4096):
            request.wfile.write(body[start : start + 4096])
            time.sleep(pause)
    except ConnectionError:
        pass  # the client was killed, as the test wanted
