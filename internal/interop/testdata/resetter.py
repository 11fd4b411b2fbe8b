# A peer that says hello, waits for a line to read, and resets.
#   resetter.py [PORT]
import socket
import struct
import sys

if len(sys.argv) > 1:
    conn = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
else:
    server = socket.create_server(('127.0.0.1', 0))
    print('port', server.getsockname()[1])
    conn, addr = server.accept()
conn.sendall(b'hello\n')
input()
conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
conn.close()
