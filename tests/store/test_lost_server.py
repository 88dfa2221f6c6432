"""A server that is gone without a word: no packet of it comes any more, and none is refused."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from time import monotonic

import postgres
import psycopg
import pytest

from connector.store.postgres import sessions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the options of sockets are Linux's")
#: Attach a filter to a socket; it is not among Python's names.
SO_ATTACH_FILTER = 26


class Forwarding:
    """A TCP address for the server's Unix socket."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._ends: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._target)
                self._ends += [here, there]
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)

    def vanish(self) -> None:
        """From now on the kernel throws away whatever arrives for the connections there are, before it is acknowledged."""
        # One instruction of the classic packet filter: keep nothing.
        code = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
        program = struct.pack("HL", 1, ctypes.addressof(code))
        for end in self._ends:
            if end.family == socket.AF_INET:
                end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def close(self) -> None:
        for one in (self._listening, *self._ends):
            one.close()


@contextmanager
def forwarded(server: postgres.Server) -> Iterator[tuple[Forwarding, str]]:
    with closing(Forwarding(f"{server.folder}/.s.PGSQL.5432")) as forwarding:
        yield forwarding, f"postgresql://connector@127.0.0.1:{forwarding.port}/postgres?sslmode=disable"


def test_a_lost_server_is_noticed_within_half_a_minute(server: postgres.Server) -> None:
    """By default the kernel waits for 15 minutes to 2 hours: psycopg/psycopg2 issues 944, 985 and 1017 (fail-overs)."""
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    with (
        forwarded(server) as (_, url),
        closing(sessions.writing(url)) as session,
        socket.socket(fileno=socket.dup(session.fileno())) as used,
    ):
        asked = {name: used.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names}
    assert asked == {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}
    assert asked["TCP_KEEPIDLE"] + asked["TCP_KEEPINTVL"] * asked["TCP_KEEPCNT"] <= 30


def test_what_the_address_says_goes_first(server: postgres.Server) -> None:
    with forwarded(server) as (_, url), closing(sessions.connect(f"{url}&tcp_user_timeout=60000", "reader")) as session:
        assert session.info.get_parameters()["tcp_user_timeout"] == "60000"
        assert session.info.get_parameters()["keepalives_idle"] == "10"


def test_a_statement_to_a_lost_server_ends(server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {"keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 1, "tcp_user_timeout": 1500}
    monkeypatch.setattr(sessions, "LOST", quick)
    with forwarded(server) as (forwarding, url), closing(sessions.writing(url)) as session:
        forwarding.vanish()
        began = monotonic()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        assert session.closed
        assert monotonic() - began < 60
