"""An SSH connection that may break: what is asked through it is asked again through a new one.

Keys come from the user's SSH agent and files, known hosts from `~/.ssh/known_hosts`. No password is asked for or kept,
and a host that is not known is refused.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ..errors import InputError
from .address import Address

T = TypeVar("T")

SECONDS_TO_CONNECT = 20.0
SECONDS_TO_ANSWER = 60.0
PAUSES = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before each new attempt; the last one is repeated
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 15
_SYSTEM_HOSTS = Path("/etc/ssh/ssh_known_hosts")


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
            _, output, errors = self._client.exec_command(f"exec sh -c {shlex.quote(command)}", timeout=seconds)
            texts = [stream.read().decode("utf-8", "replace") for stream in (output, errors)]
            code = output.channel.recv_exit_status()
            if code < 0:  # the connection went before the command told its code, and what it told may be cut
                raise Lost("the command did not end")
            return Answer(code, *texts)

    @contextmanager
    def files(self) -> Iterator[Any]:
        """The files of the other computer (paramiko's `SFTPClient`). Raises `Lost` if the connection breaks."""
        with self._lost_if_broken():
            if self._sftp is None:
                self._sftp = self._client.open_sftp()
                self._sftp.get_channel().settimeout(SECONDS_TO_ANSWER)
            yield self._sftp

    @contextmanager
    def _lost_if_broken(self) -> Iterator[None]:
        import paramiko

        try:
            yield
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
        where = _settings_of(self.address)
        client = paramiko.SSHClient()
        client.load_system_host_keys()
        if _SYSTEM_HOSTS.is_file():
            client.load_system_host_keys(str(_SYSTEM_HOSTS))
        client.set_missing_host_key_policy(_refusing(self.address))
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
            remedy = f"allow one of your keys there: ssh-copy-id {self.address.person}"
            raise InputError(self.address.person, "is not let in", remedy) from error
        except paramiko.ssh_exception.NoValidConnectionsError as error:
            raise Lost("no SSH server answers") from error
        except paramiko.SSHException as error:
            if "no authentication methods" in str(error).lower():
                remedy = f"make a key and allow it there: ssh-keygen, then ssh-copy-id {self.address.person}"
                raise InputError(self.address.person, "is not let in without a key", remedy) from error
            raise Lost(str(error) or type(error).__name__) from error
        except (OSError, EOFError) as error:
            raise Lost(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error


def _refusing(address: Address) -> Any:
    """A policy by which a host that is not known is refused, with its fingerprint."""
    import paramiko

    class Refusing(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            raise InputError(
                address.host,
                f"is not known here; its key is {key.fingerprint}",
                f"if that is right, make it known: ssh {_port_option(address)}{address.person}",
            )

    return Refusing()


def _port_option(address: Address) -> str:
    return f"-p {address.port} " if address.port else ""


def _settings_of(address: Address) -> dict[str, Any]:
    """What paramiko needs to connect, from the address and the user's `~/.ssh/config`. Raises `InputError`."""
    import paramiko

    path = Path(os.path.expanduser("~/.ssh/config"))
    told: Any = paramiko.SSHConfig.from_path(str(path)).lookup(address.host) if path.is_file() else {}
    if told.get("proxyjump", "none") != "none":
        instead = f"ProxyCommand ssh -W %h:%p {told['proxyjump']}"
        raise InputError(path, f"has a ProxyJump for {address.host}, which is not understood", f"write {instead}")
    settings: dict[str, Any] = {"hostname": told.get("hostname", address.host)}
    settings["port"] = address.port or int(told.get("port", 22))
    settings["username"] = address.user or told.get("user")
    if "identityfile" in told:
        settings["key_filename"] = told["identityfile"]
    if told.get("proxycommand", "none") != "none":
        settings["sock"] = paramiko.ProxyCommand(told["proxycommand"])
    return settings
