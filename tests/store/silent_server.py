"""Prints after how many seconds a session notices that its server is gone without a word. To be run in a network of its own."""

import subprocess
import sys
import time

import postgres
import psycopg

from connector.store.postgres import sessions

PORT = "15432"


def main() -> None:
    """The server's packets are dropped from some moment on, as when its machine loses its power."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with postgres.serving(listen_addresses="127.0.0.1", port=PORT):
        session = sessions.writing(f"postgresql://connector@127.0.0.1:{PORT}/postgres")
        session.execute("SELECT 1")
        subprocess.run(["iptables", "-A", "INPUT", "-p", "tcp", "--dport", PORT, "-j", "DROP"], check=True)
        subprocess.run(["iptables", "-A", "INPUT", "-p", "tcp", "--sport", PORT, "-j", "DROP"], check=True)
        began = time.monotonic()
        try:
            session.execute("SELECT 1")
        except psycopg.OperationalError:
            sys.stdout.write(f"{time.monotonic() - began:.1f}\n")


if __name__ == "__main__":
    main()
