"""Commits that wait for a standby which is not there, and who waits for what."""

import time


def release(server) -> None:
    server.set("synchronous_standby_names", "")


def waiting_for(server, event: str, but: int = 0) -> int:
    """Return a process that waits for an event, when there is another one than ``but``."""
    query = "SELECT pid FROM pg_stat_activity WHERE (wait_event, pid <> %s) = (%s, true)"
    with server.connect() as admin:
        for _ in range(1_000):
            found = admin.execute(query, (but, event)).fetchone()
            if found:
                return found[0]
            time.sleep(0.01)
    raise AssertionError(event)
