"""Run two long trials in two processes, to be killed."""

from pathlib import Path
import signal
import sys

from small_trial import small_settings, small_trial

from pocketdet.runs.data import DataSource
from pocketdet.trial import Job, SideBySide, Steps, open_trial_data


def main() -> None:
    # A shell's background jobs, and all that they start, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    source = DataSource(data=sys.argv[1])
    trials = [
        small_trial(source, steps=Steps(total=20_000), settings=small_settings(seed=seed))
        for seed in range(2)
    ]
    with SideBySide(devices=("cpu", "cpu"), data=open_trial_data(source)) as machines:
        machines.run([Job(trial, Path(sys.argv[2])) for trial in trials])


if __name__ == "__main__":
    main()
