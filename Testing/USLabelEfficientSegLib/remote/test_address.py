"""Addresses of other computers."""

from pathlib import PurePosixPath

import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.remote.address import Address


@pytest.mark.parametrize("text", ["", "server", "server:", "/folder", "ssh://server", "a b:/c", "a:/b/../c", "s:/"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError):
        Address.parse(text)


def test_addresses_are_read_as_scp_and_ssh_write_them():
    assert Address.parse("server:~/study") == Address.parse("server:study")
    assert Address.parse("ssh://eva@server:22/a b") == Address("server", PurePosixPath("/a b"), "eva", 22)
    assert Address.parse("eva@[::1]:/study") == Address("::1", PurePosixPath("/study"), "eva")
