"""The terminal as rich sees it."""

import rich.console


class Terminal(rich.console.Console):
    """A console whose broken pipe is an error like others: rich would end the process with exit code 1."""

    def on_broken_pipe(self) -> None:
        """Called while the error is handled."""
        raise
