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
        said = f"`{error.filename}`: {error.strerror[0].lower()}{error.strerror[1:]}."
        return _with_notes(said, error)
    return _with_notes(str(error), error)


def _with_notes(said: str, error: BaseException) -> str:
    """Add what was noted on the way: mostly how to go on."""
    return " ".join([said, *getattr(error, "__notes__", ())])


def _told(error: Exception) -> ExitCode:
    """Say in a sentence what the user's code raised; of a fault of ours the traceback helps."""
    from pocketdet.model.own_code import as_sentence

    told = as_sentence(error)
    if told is error:
        raise error
    return _failed(_with_notes(str(told), error))


def _failed(said: str) -> ExitCode:
    sys.stderr.write(f"pocketdet: {said}\n")
    return ExitCode.FAILED


def _stopped(error: KeyboardInterrupt) -> ExitCode:
    return _failed(_with_notes("stopped.", error))


def _interrupt_behind(ended: SystemExit) -> KeyboardInterrupt | None:
    """Give the Ctrl-C that typer turned into an exit without a word."""
    behind = None if ended.__context__ is None else ended.__context__.__cause__
    return behind if isinstance(behind, KeyboardInterrupt) else None


def _run() -> int | str | None:
    try:
        app()
    except SystemExit as ended:
        interrupt = _interrupt_behind(ended)
        return ended.code if interrupt is None else _stopped(interrupt)
    except ModuleNotFoundError as error:
        extra = extra_with(error.name or "")
        if extra is None:
            return _told(error)
        return _failed(
            f"this needs `{error.name}`, which is not installed: pip install 'pocketdet[{extra}]'."
        )
    except (ValueError, OSError) as error:
        return _failed(_sentence(error))
    except Exception as error:
        return _told(error)
    except KeyboardInterrupt as error:
        return _stopped(error)
    return ExitCode.OK


def main() -> None:
    """Run a command; a user's error is one sentence on stderr and exit code 2.

    Of a judge, `git bisect run` would take a 2 for "faulty"; it ends there with `ABORT`.
    """
    code = _run()
    is_judge = sys.argv[1:2] == ["judge"]
    sys.exit(ExitCode.ABORT if is_judge and code == ExitCode.FAILED else code)
