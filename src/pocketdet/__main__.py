"""`python -m pocketdet` is the command line."""

from pocketdet.cli import main

main()
