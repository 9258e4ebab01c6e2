"""What the exit code of every command means."""

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0  # done, and nothing to complain of
    FINDINGS = 1  # done, and something was found
    FAILED = 2  # the tool could not do what it was asked for
    ABORT = 128  # a judge's FAILED: `git bisect run` ends instead of calling the commit bad
