"""narrow.py PORT_OF_TARGET AFTER PAUSE: forwards TCP, prints its own port, and takes nothing for PAUSE s, AFTER s after the start.

Its receive buffer and its segments are so small that what is not read waits with the sender, as behind a thin line.
"""

import socket
import sys
import threading
import time

target, after, pause = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)


def forward(source: socket.socket, sink: socket.socket, rests: bool) -> None:
    begun, has_rested = time.monotonic(), not rests
    try:
        while data := source.recv(4096):
            sink.sendall(data)
            if not has_rested and time.monotonic() - begun > after:
                has_rested = True
                time.sleep(pause)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


while True:
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", target))
    threading.Thread(target=forward, args=(near, far, True), daemon=True).start()
    threading.Thread(target=forward, args=(far, near, False), daemon=True).start()
