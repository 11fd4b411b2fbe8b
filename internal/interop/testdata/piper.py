# A plain client as a pipe: stdin to the peer, half-close, and what the peer says to stdout.
#   piper.py PORT
import os
import socket
import sys
import threading

conn = socket.create_connection(('127.0.0.1', int(sys.argv[1])))


def say():
    while data := os.read(0, 65536):
        conn.sendall(data)
    conn.shutdown(socket.SHUT_WR)


threading.Thread(target=say).start()
while data := conn.recv(65536):
    sys.stdout.buffer.write(data)
sys.stdout.buffer.flush()
sys.stdout.close()
