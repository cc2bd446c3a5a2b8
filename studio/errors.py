"""What can go wrong on one machine and the exit code each has.

StudioError             1   a generation, a test, a check or a deployment failed
|- UsageError           2   the command line asks for something that cannot be
|- NotRunningError      3   the studio is not running or cannot be reached
|- BusyError            4   a port is taken, or the studio runs already
`- SetupError           5   set-up or the data folder is in trouble
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every `./pingvas` command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    BUSY = 4
    SETUP = 5
    INTERRUPTED = 130


class StudioError(Exception):
    """One clear message for a person, and what to do about it."""

    code = Exit.FAILED

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class UsageError(StudioError):
    code = Exit.USAGE


class NotRunningError(StudioError):
    code = Exit.NOT_RUNNING


class BusyError(StudioError):
    code = Exit.BUSY


class SetupError(StudioError):
    code = Exit.SETUP
