"""An SSH connection that may break: what is asked through it is asked again through a new one.

Keys come from the user's SSH agent and files, known hosts from `~/.ssh/known_hosts`. No password is asked for or kept,
and a host that is not known is refused.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from ..errors import InputError
from .address import Address
from .known_hosts import known_keys, refusing
from .ssh_settings import settings_of

T = TypeVar("T")

SECONDS_TO_CONNECT = 20.0
SECONDS_TO_ANSWER = 60.0
PAUSES = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before each new attempt; the last one is repeated
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 15
_TIRED = "No existing session"  # paramiko's words when the server ends the connection as too many keys were offered
_BEGINNING = "-- uslabelseg --"  # what comes before is said by the files that a shell reads when it starts
_FOR_GOOD = (1, 2)  # codes by which a server refuses a channel: prohibited, and cannot be opened


class Lost(Exception):  # noqa: N818 - nothing is wrong: it is made anew
    """The connection broke, or could not be made."""


@dataclass(frozen=True)
class Answer:
    """How a command on the other computer has ended."""

    code: int
    output: str
    errors: str


class Connection:
    """Context manager: a connection to the computer of an address, made anew whenever it breaks.

    Args:
        address: the computer.
        tell: called with a sentence when the connection breaks and when it is back.
        pausing: called with seconds to wait before a new attempt; it may raise to give up.
    """

    def __init__(
        self, address: Address, tell: Callable[[str], None], pausing: Callable[[float], None] = time.sleep
    ) -> None:
        self.address = address
        self._tell = tell
        self._pausing = pausing
        self._client: Any = None
        self._sftp: Any = None

    def __enter__(self) -> Connection:
        """Connect.

        Raises:
            InputError: paramiko is not installed; the computer cannot be reached, is not known or refuses the user.
        """
        try:
            self._connect()
        except Lost as error:
            if _TIRED in str(error):
                problem = "is not let in: the connection ended while keys were tried"
                remedy = "where the SSH agent holds many keys, name the right one by IdentityFile in ~/.ssh/config"
                raise InputError(self.address.person, problem, remedy) from error
            raise InputError(
                self.address.host, f"cannot be reached ({error})", "check its name and the network"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._drop()

    def insist(self, act: Callable[[], T]) -> T:
        """What `act` returns; when the connection breaks in it, it is called again on a new one, as often as it takes.

        Raises:
            InputError: the computer is not known any more, or refuses the user.
        """
        attempt = 0
        while True:
            try:
                if self._client is None:
                    self._connect()
                    self._tell(f"Connected to {self.address.host} again.")
                return act()
            except Lost:
                if self._client is not None:
                    self._tell(f"The connection to {self.address.host} is broken; it is made anew.")
                self._drop()
            self._pausing(PAUSES[min(attempt, len(PAUSES) - 1)])
            attempt += 1

    def run(self, command: str, seconds: float = SECONDS_TO_ANSWER) -> Answer:
        """Run a command of the shell `sh`. Raises `Lost`, also if there is no answer for so many seconds."""
        with self._lost_if_broken():
            words = f"echo {_BEGINNING}; {command}"
            _, output, errors = self._client.exec_command(f"exec sh -c {shlex.quote(words)}", timeout=seconds)
            texts = [stream.read().decode("utf-8", "replace") for stream in (output, errors)]
            code = output.channel.recv_exit_status()
            if code < 0:  # the connection went before the command told its code, and what it told may be cut
                raise Lost("the command did not end")
            before, begins, told = texts[0].partition(f"{_BEGINNING}\n")
            return Answer(code, told if begins else before, texts[1])

    @contextmanager
    def files(self) -> Iterator[Any]:
        """The files of the other computer (paramiko's `SFTPClient`). Raises `Lost` if the connection breaks."""
        with self._lost_if_broken():
            if self._sftp is None:
                self._sftp = self._opened_sftp()
                self._sftp.get_channel().settimeout(SECONDS_TO_ANSWER)
            yield self._sftp

    def _opened_sftp(self) -> Any:
        """Raises `InputError` if the connection works but no files are served, which no new connection would mend."""
        import paramiko

        try:
            return self._client.open_sftp()
        except (EOFError, paramiko.SSHException) as error:
            if self.run("echo").code != 0:
                raise
            problem = "serves no files by SFTP"
            remedy = "ask who looks after it to switch on `Subsystem sftp` of its SSH server"
            raise InputError(self.address.host, problem, remedy) from error

    @contextmanager
    def _lost_if_broken(self) -> Iterator[None]:
        import paramiko

        try:
            yield
        except paramiko.ChannelException as error:
            if error.code not in _FOR_GOOD:
                raise Lost(str(error)) from error
            problem = f"lets {self.address.user or 'the user'} in but opens no session ({error.text})"
            raise InputError(self.address.host, problem, "ask who looks after it") from error
        except (EOFError, paramiko.SSHException, TimeoutError, ConnectionError) as error:
            raise Lost(str(error) or type(error).__name__) from error
        except OSError as error:  # of a file, unless the connection is gone
            transport = self._client.get_transport()
            if transport is None or not transport.is_active():
                raise Lost(str(error)) from error
            raise

    def _drop(self) -> None:
        client, self._client, self._sftp = self._client, None, None
        if client is not None:
            with suppress(Exception):  # it is gone
                client.close()

    def _connect(self) -> None:
        try:
            import paramiko
        except ImportError as error:
            raise InputError(
                "training on another computer",
                "needs the package paramiko",
                'install it: pip install "us-label-efficient-seg[remote]"',
                in_panel="type slicer.util.pip_install('paramiko') into Slicer's Python console, or install it in the "
                "other Python that trains",
            ) from error
        where = settings_of(self.address)
        known = known_keys(where["hostname"], where["port"])
        client = paramiko.SSHClient()
        for key in known.keys:
            client.get_host_keys().add(known.name, key.get_name(), key)
        client.set_missing_host_key_policy(refusing(self.address, known))
        try:
            with self._refusals():
                client.connect(
                    **where,
                    timeout=SECONDS_TO_CONNECT,
                    banner_timeout=SECONDS_TO_CONNECT,
                    auth_timeout=SECONDS_TO_CONNECT,
                )
        except BaseException:
            client.close()
            raise
        client.get_transport().set_keepalive(_SECONDS_BETWEEN_SIGNS_OF_LIFE)
        self._client = client

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turn what goes wrong while connecting into a sentence, or into `Lost`."""
        import paramiko

        host = self.address.host
        try:
            yield
        except paramiko.BadHostKeyException as error:
            raise InputError(
                host,
                "shows another key than the one that is known of it",
                f"ask who looks after it; if the change is right, forget the old key: ssh-keygen -R {host}",
            ) from error
        except paramiko.PasswordRequiredException as error:
            raise InputError(
                self.address.person, "is opened by a key with a passphrase", "give the key to the agent: ssh-add"
            ) from error
        except paramiko.AuthenticationException as error:
            raise self._not_let_in(getattr(error, "allowed_types", ["publickey"])) from error
        except paramiko.ssh_exception.NoValidConnectionsError as error:
            raise Lost("no SSH server answers") from error
        except paramiko.SSHException as error:
            if "no authentication methods" in str(error).lower():
                remedy = f"make a key and allow it there: ssh-keygen, then ssh-copy-id {self.address.person}"
                raise InputError(self.address.person, "is not let in without a key", remedy) from error
            if "private key file" in str(error):
                problem = f"is not let in: a key file cannot be read ({error})"
                raise InputError(self.address.person, problem, "repair or remove it in ~/.ssh") from error
            raise Lost(str(error) or type(error).__name__) from error
        except (OSError, EOFError) as error:
            raise Lost(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error

    def _not_let_in(self, ways: list[str]) -> InputError:
        """The refusal by a server that now lets people in by these ways."""
        if "publickey" in ways:
            remedy = f"allow one of your keys there: ssh-copy-id {self.address.person}"
            return InputError(self.address.person, "is not let in", remedy)
        problem = f"is not let in by a key alone (the server asks for: {', '.join(ways)})"
        return InputError(self.address.person, problem, "ask who looks after it to let you in by a key")
