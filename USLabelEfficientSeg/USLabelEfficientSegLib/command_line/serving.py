"""`uslabelseg serve`."""

import os
import sys

from ..errors import ExitCode


def serve() -> None:
    """Answer the requests of a program, such as 3D Slicer's module, at once.

    The process stays, so that its libraries, the model and the volumes are loaded once. Requests come as lines of JSON
    on standard input, answers go as lines of JSON to standard output. It ends when its input ends.

    The requests suggest, segment and propagate do what the commands of these names do; predict gives what the model of
    a study finds in one of its volumes, and prepare looks through a study in idle time, so that later answers come at
    once. The page "The command line" of the documentation has the arguments and the answers.

    \b
    Example:
      tail -f requests.jsonl | uslabelseg serve
    """
    from ..serving.answering import Answering
    from ..serving.networks import Networks
    from ..serving.protocol import Answers
    from ..serving.server import Server

    # Whatever a library prints goes to the error stream: lines on standard output are answers.
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="\n")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    answering = Answering(Networks())
    lines = open(sys.stdin.fileno(), encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - to the end
    Server(answering, Answers(stream), answering.rest).serve(lines)
    os._exit(ExitCode.DONE)  # torch takes seconds to tidy up
