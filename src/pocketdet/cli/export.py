"""`pocketdet export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pocketdet.cli.exit_code import ExitCode


class Target(StrEnum):
    ONNX = "onnx"
    OPENVINO = "openvino"
    NCNN = "ncnn"
    LITERT = "litert"
    EXECUTORCH = "executorch"
    TORCH = "torch"


class Precision(StrEnum):
    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class Side(StrEnum):
    INSIDE = "inside"
    OUTSIDE = "outside"


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder or a checkpoint file.")],
    *,
    to: Annotated[Target, typer.Option(help="The runtime that the file is for.")] = Target.ONNX,
    precision: Annotated[Precision, typer.Option(help="Of the numbers.")] = Precision.FP32,
    data: Annotated[
        str | None, typer.Option(help="Pictures to prove it on; the run's own if not given.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which part of the data.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file; RUN/exports/model.… if not given.")
    ] = None,
    normalization: Annotated[
        Side, typer.Option(help="Where mean and scale are: in the file or left to its user.")
    ] = Side.INSIDE,
    decode: Annotated[Side, typer.Option(help="Where raw outputs become boxes.")] = Side.OUTSIDE,
    nms: Annotated[Side, typer.Option(help="Where detections are picked.")] = Side.OUTSIDE,
    python: Annotated[
        str | None, typer.Option(help="Of another environment, with the converter in it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a detector for another runtime, with its card, and prove that it is the same detector.

    Exit code 1: it is not; the file is kept as model.rejected.….
    """
    from pocketdet.cli.export_text import show_export, show_rejected
    from pocketdet.export import ExportSettings, RejectedExport
    from pocketdet.requests.export import ExportRequest, run_export

    request = ExportRequest(
        run=run,
        settings=ExportSettings(
            to=to.value,
            precision=precision.value,
            normalization=normalization.value,
            decode=decode.value,
            nms=nms.value,
            python=python,
        ),
        out=out,
        data=data,
        split=split,
    )
    try:
        exported = run_export(request)
    except RejectedExport as rejected:
        show_rejected(rejected, as_json=as_json)
        raise typer.Exit(ExitCode.FINDINGS) from rejected
    show_export(exported, as_json=as_json)
