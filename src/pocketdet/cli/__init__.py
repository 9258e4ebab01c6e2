"""The command line: one file a command, and no logic in it.

Nothing heavy is imported here or at the top of a command's file, so that `--help` is instant.
Exit codes: 0 done and nothing found, 1 findings, 2 the tool could not do it.
"""

import sys

import typer

from pocketdet.cli import (
    bench,
    bisect,
    compare,
    compress,
    data_check,
    data_convert,
    data_get,
    demo,
    describe,
    diff,
    doctor,
    evaluate,
    export,
    judge,
    parity,
    parts,
    predict,
    serve,
    train,
)
from pocketdet.cli.exit_code import ExitCode
from pocketdet.cli.extras import extra_with

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Lightweight object detectors for people who alter them.",
)
data_app = typer.Typer(no_args_is_help=True, help="Look at, convert and download data sets.")
app.add_typer(data_app, name="data")

app.command("demo")(demo.demo)
app.command("describe")(describe.describe)
app.command("doctor")(doctor.doctor)
app.command("parts")(parts.parts)
app.command("diff")(diff.diff)
app.command("bisect")(bisect.bisect)
app.command("judge")(judge.judge)
app.command("compare")(compare.compare)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("bench")(bench.bench)
app.command("compress")(compress.compress)
app.command("export")(export.export)
app.command("parity")(parity.parity)
app.command("serve")(serve.serve)
data_app.command("check")(data_check.check)
data_app.command("convert")(data_convert.convert)
data_app.command("get")(data_get.get)


def _sentence(error: ValueError | OSError) -> str:
    """Say what was wrong; the system's own errors name the file first and have no number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"`{error.filename}`: {error.strerror[0].lower()}{error.strerror[1:]}."
    return str(error)


def main() -> None:
    """Run a command; a user's error is one sentence on stderr and exit code 2."""
    try:
        app()
    except ModuleNotFoundError as error:
        extra = extra_with(error.name or "")
        if extra is None:
            raise
        sys.stderr.write(
            f"pocketdet: this needs `{error.name}`, which is not installed: "
            f"pip install 'pocketdet[{extra}]'.\n"
        )
        sys.exit(ExitCode.FAILED)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"pocketdet: {_sentence(error)}\n")
        sys.exit(ExitCode.FAILED)
    except KeyboardInterrupt:
        sys.stderr.write("pocketdet: stopped.\n")
        sys.exit(ExitCode.FAILED)
