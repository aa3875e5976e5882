"""An address that nobody should follow, and who did."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def lure() -> Iterator[tuple[str, list[str]]]:
    """A URL, and the list of every connection made to it."""
    visits: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    visitor, address = server.accept()
                    visits.append(str(address))
                    visitor.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    visitor.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", visits
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)
