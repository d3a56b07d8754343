"""An SSH server on the loopback address, behind a proxy that cuts connections, and a user whose key it knows.

The server is OpenSSH where `sshd` is installed, else that of asyncssh.
"""

import asyncio
import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import USLabelEfficientSegLib

LIBRARY = Path(USLabelEfficientSegLib.__file__).parents[1]
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
SETTINGS = """{more}
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
SFTP = "Subsystem sftp internal-sftp"
ROUNDING = ("OPENBLAS_", "MKL_", "ONEDNN_", "ATEN_")  # variables by which packages choose instructions

needs_openssh = pytest.mark.skipif(SSHD is None, reason="needs OpenSSH's sshd: apt-get install openssh-server")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until_it_listens(port):
    end = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < end, "the SSH server does not listen"
        time.sleep(0.05)


class Proxy:
    """Passes connections on to a port. The n-th one is cut after the n-th of `budgets`, in bytes; later ones are not.

    Attributes:
        cuts: how many connections were cut.
        closed: refuse all connections from now on.
    """

    def __init__(self, port):
        self.budgets = []
        self.cuts = 0
        self.closed = False
        self._target = port
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.closed:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open = {client, server}
            budget = [self.budgets.pop(0) if self.budgets else sys.maxsize]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target, budget), daemon=True).start()

    def _pass_on(self, source, target, budget):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                target.sendall(data)
                before, budget[0] = budget[0], budget[0] - len(data)
                if budget[0] < 0 <= before:
                    self.cuts += 1
                if budget[0] < 0:
                    break
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def cut(self):
        """Cut the connection that was made last."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.close()


class SshServer:
    """A running server; `home` is the folder of a user here who knows it and whom it lets in.

    Attributes:
        program: calls `uslabelseg` there.
        proxy: between this user and the server.
        user: who is let in.

    Args:
        folder: for its files; made if need be.
        more: further settings of OpenSSH, which come first.
    """

    def __init__(self, folder, more=SFTP):
        self.folder = folder
        self._more = more
        self.user = getpass.getuser()
        self.home = folder / "home"
        keys = self.home / ".ssh"
        keys.mkdir(parents=True, mode=0o700)
        for path in (folder / "host", keys / "id_ed25519"):
            self._make_key(path)
        shutil.copy(keys / "id_ed25519.pub", folder / "authorized")
        self.program = folder / "uslabelseg"
        # OpenSSH hands no variables on, but weights are the same bit for bit only where sums are rounded alike.
        kept = {name: value for name, value in os.environ.items() if name.startswith(ROUNDING)}
        kept |= {"PYTHONPATH": str(LIBRARY), "OMP_NUM_THREADS": "1"}
        variables = shlex.join(f"{name}={value}" for name, value in kept.items())
        words = f'exec env {variables} "{sys.executable}" -m USLabelEfficientSegLib.cli "$@"'
        self.program.write_text(f"#!/bin/sh\n{words}\n")
        self.program.chmod(0o755)
        port = free_port()
        self._stop = self._start_openssh(port) if SSHD else self._start_asyncssh(port)
        wait_until_it_listens(port)
        self.proxy = Proxy(port)
        self.known(self.proxy.port)

    @staticmethod
    def _make_key(path):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.generate()
        private, plain = serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, plain))
        path.chmod(0o600)
        public = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        path.with_name(f"{path.name}.pub").write_bytes(key.public_key().public_bytes(*public) + b"\n")

    def known(self, port, key=None):
        """Let the user know the server at a port."""
        text = (self.folder / "host.pub").read_text() if key is None else key
        (self.home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {text}")

    def address(self, folder):
        return f"ssh://{self.user}@127.0.0.1:{self.proxy.port}{folder}"

    def close(self):
        self.proxy.close()
        self._stop()

    def _start_openssh(self, port):
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        (self.folder / "settings").write_text(SETTINGS.format(port=port, folder=self.folder, more=self._more))
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", self.folder / "settings"], stderr=log, stdout=log)

        def stop():
            process.terminate()
            process.wait(20)

        return stop

    def _start_asyncssh(self, port):
        import asyncssh

        async def answer(process):
            nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
            inner = await asyncio.create_subprocess_shell(process.command, stdin=nothing, stdout=pipe, stderr=pipe)
            output, errors = await inner.communicate()
            process.stdout.write(output)
            process.stderr.write(errors)
            process.exit(inner.returncode)

        async def serve():
            await asyncssh.listen(
                "127.0.0.1", port, server_host_keys=[str(self.folder / "host")], sftp_factory=True,
                authorized_client_keys=str(self.folder / "authorized"), process_factory=answer, encoding=None,
            )  # fmt: skip

        loop = asyncio.new_event_loop()
        loop.run_until_complete(serve())
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        def stop():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(20)

        return stop


def met_anew(server, monkeypatch):
    """This user is one whom the server knows, as if nobody had connected or been cut off yet."""
    monkeypatch.setenv("HOME", str(server.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    proxy = server.proxy
    proxy.budgets, proxy.cuts, proxy.closed = [], 0, False
    server.known(proxy.port)


@contextlib.contextmanager
def ssh_server(folder, more=SFTP):
    pytest.importorskip("paramiko")
    server = SshServer(folder, more)
    try:
        yield server
    finally:
        server.close()
