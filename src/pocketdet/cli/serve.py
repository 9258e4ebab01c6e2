"""`pocketdet serve`."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path, typer.Argument(help="An exported .onnx file, with its card.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8080,
    out: Annotated[
        Path | None, typer.Option(help="Write the page's folder for a web server, and end.")
    ] = None,
) -> None:
    """Run an exported detector in the browser: on a dropped picture or the camera.

    Everything is served from this machine, to this machine; pictures never leave the browser.
    """
    from tempfile import TemporaryDirectory

    from pocketdet.web.server import server_of
    from pocketdet.web.site import write_site

    if out is not None:
        write_site(model, out)
        typer.echo(f"The page is in {out}: serve it over HTTPS (the camera needs that).")
        return
    with TemporaryDirectory() as folder:
        write_site(model, Path(folder))
        with server_of(Path(folder), port=port) as server:
            typer.echo(f"http://{server.server_name}:{server.server_port} (Ctrl+C ends it)")
            server.serve_forever()
