"""``python -m pneumoscope``: the command line, where the script ``pneumoscope`` is not on PATH."""

from pneumoscope.cli.main import run

if __name__ == "__main__":
    run()
