"""OpenSSH's own server, as servers are set up: keys, agents, known hosts, settings; each refusal is one sentence."""

import subprocess
import time
from contextlib import contextmanager

import pytest
from ssh_server import SFTP, met_anew, needs_openssh, ssh_server

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.remote.address import Address
from USLabelEfficientSegLib.remote.connection import Connection

pytestmark = needs_openssh


@pytest.fixture
def keys(server):
    """The folder `.ssh` of the user, as it was at the end again."""
    folder = server.home / ".ssh"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    yield folder
    for path in set(folder.iterdir()) - set(before):
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)


def heard(server, address=None, command="echo hello"):
    """What a command on the server says; a connection that breaks is not made anew."""

    def pausing(seconds):
        raise AssertionError("it would be tried for ever")

    with Connection(Address.parse(address or server.address("/study")), lambda said: None, pausing) as connection:
        return connection.insist(lambda: connection.run(command)).output


def names_in_root(server):
    def pausing(seconds):
        raise AssertionError("it would be tried for ever")

    def names():
        with connection.files() as files:
            return files.listdir("/")

    with Connection(Address.parse(server.address("/study")), lambda said: None, pausing) as connection:
        return connection.insist(names)


def keygen(*words):
    subprocess.run(["ssh-keygen", "-q", *map(str, words)], check=True, capture_output=True)


@contextmanager
def agent(place, monkeypatch):
    """An SSH agent; gives a function that adds key files to it."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
    try:
        while not place.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield lambda path: subprocess.run(["ssh-add", path], check=True, capture_output=True)
    finally:
        process.terminate()
        process.wait(20)


def test_a_key_with_a_passphrase_is_asked_for_from_the_agent(server, keys, monkeypatch, tmp_path_factory):
    key = keys / "id_ed25519"
    with agent(tmp_path_factory.mktemp("agent") / "socket", monkeypatch) as add:
        add(key)
        keygen("-p", "-N", "secret", "-f", key)
        assert heard(server) == "hello\n"

    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(InputError, match=r"is opened by a key with a passphrase; give the key to the agent: ssh-add"):
        heard(server)


def test_an_agent_with_more_keys_than_the_server_tries_needs_the_name_of_one(
    server, keys, monkeypatch, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("agent")
    with agent(folder / "socket", monkeypatch) as add:
        for number in range(7):
            keygen("-t", "ed25519", "-N", "", "-f", folder / f"key{number}")
            add(folder / f"key{number}")
        with pytest.raises(InputError, match=r"ended while keys were tried; .* by IdentityFile in ~/\.ssh/config"):
            heard(server)

        (keys / "config").write_text(f"IdentityFile {keys / 'id_ed25519'}\n")
        assert heard(server) == "hello\n"


def test_a_damaged_key_file_is_told(server, keys):
    (keys / "id_ed25519").write_text("damaged")
    with pytest.raises(InputError, match=r"is not let in: a key file cannot be read \(.+\); repair or remove it"):
        heard(server)


def test_a_user_whom_the_server_does_not_have_is_not_let_in(server):
    with pytest.raises(InputError, match=r"nobody-here@127\.0\.0\.1: is not let in; allow one of your keys"):
        heard(server, f"ssh://nobody-here@127.0.0.1:{server.proxy.port}/study")


@pytest.mark.parametrize("form", ["hashed", "pattern", "beside lines that are not understood", "another key, too"])
def test_known_hosts_are_read_in_the_forms_that_openssh_writes(server, keys, form):
    file, host = keys / "known_hosts", (server.folder / "host.pub").read_text()
    other = (keys / "id_ed25519.pub").read_text()
    if form == "hashed":
        keygen("-H", "-f", file)
        assert file.read_text().startswith("|1|")
    elif form == "pattern":
        file.write_text(f"[127.0.0.2]:*,!*.example,[127.*]:* {host}")
    elif form == "another key, too":
        file.write_text(f"# comment\n{file.read_text()}[127.0.0.1]:1 {other}")
    else:
        file.write_text(f"@cert-authority *.example {other}\n@revoked * {other}\nnonsense\nx y z\n{file.read_text()}")

    assert heard(server) == "hello\n"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("@revoked * {host}", r"shows a key that is marked as revoked; ask who looks after it"),
        ("@cert-authority * {host}", r"by a certificate, which is not understood; .*ssh-keyscan -p \d+ 127\.0\.0\.1"),
        ("!*,* {host}", r"is not known here; its key is SHA256:"),
        ("127.0.0.1 {host}", r"is not known here; its key is SHA256:"),
    ],
)
def test_a_server_that_no_line_allows_is_refused(server, keys, line, sentence):
    (keys / "known_hosts").write_text(line.format(host=(server.folder / "host.pub").read_text()))
    with pytest.raises(InputError, match=sentence):
        heard(server)


def test_included_settings_are_followed(server, keys):
    (keys / "config").write_text("Include more_*\nUser nobody-here\n")
    place = f"  HostName 127.0.0.1\n  Port {server.proxy.port}\n"
    (keys / "more_hosts").write_text(f"Host gpu\n{place}  User {server.user}\nHost other\n{place}")

    assert heard(server, "gpu:/study") == "hello\n"
    with pytest.raises(InputError, match=r"is not let in"):
        heard(server, "other:/study")  # what follows the Include is of all servers


@pytest.mark.parametrize("text", ["nonsense", "Host gpu\n  Port many"])
def test_settings_that_are_not_understood_are_told(server, keys, text):
    (keys / "config").write_text(text)
    with pytest.raises(InputError, match=r"config: is not understood \(.+\); correct it, or leave that setting out"):
        heard(server, "gpu:/study")


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_server_with_several_keys_is_known_by_any_of_them(tmp_path, monkeypatch, kind):
    for one in ("ecdsa", "rsa"):
        keygen("-t", one, "-N", "", "-f", tmp_path / one)
    more = "\n".join([SFTP, f"HostKey {tmp_path / 'ecdsa'}", f"HostKey {tmp_path / 'rsa'}"])
    with server_with(more, tmp_path, monkeypatch) as server:
        server.known(server.proxy.port, (tmp_path / f"{kind}.pub").read_text())
        assert heard(server) == "hello\n"


@pytest.mark.parametrize(
    ("more", "act", "sentence"),
    [
        ("# no SFTP", names_in_root, r"serves no files by SFTP; ask who looks after it to switch on `Subsystem sftp`"),
        (f"{SFTP}\nMaxSessions 0", heard, r"lets .+ in but opens no session \(.+\); ask who looks after it"),
        (
            f"{SFTP}\nAuthenticationMethods publickey,password\nPasswordAuthentication yes",
            heard,
            r"is not let in by a key alone \(the server asks for: password\); ask who looks after it",
        ),
    ],
)
def test_a_server_that_is_set_up_for_other_things_is_refused_in_a_sentence(tmp_path, monkeypatch, more, act, sentence):
    with server_with(more, tmp_path, monkeypatch) as server, pytest.raises(InputError, match=sentence):
        act(server)


def test_greetings_of_a_shell_are_no_answers(tmp_path, monkeypatch):
    greeting = 'ForceCommand echo Welcome; echo "to the cluster"; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    with server_with(f"{SFTP}\n{greeting}", tmp_path, monkeypatch) as server:
        assert heard(server) == "hello\n"


@contextmanager
def server_with(more, folder, monkeypatch):
    with ssh_server(folder / "server", more) as server:
        met_anew(server, monkeypatch)
        yield server
