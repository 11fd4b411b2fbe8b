# Prints exactly what it gets, and sends exactly what it is given, both at once.
import os
import socket
import sys
import threading

sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))


def send():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


threading.Thread(target=send, daemon=True).start()
while data := sock.recv(65536):
    os.write(1, data)
