# A peer that listens and hardly speaks: one recv is one message. Where it serves, it prints its port.
#   listener.py HOW MANY [PORT]    HOW: silent, or speaks (one word, without a line end)
import socket
import sys

how, many = sys.argv[1], int(sys.argv[2])
if len(sys.argv) > 3:
    conn = socket.create_connection(('127.0.0.1', int(sys.argv[3])))
else:
    server = socket.create_server(('127.0.0.1', 0))
    print('port', server.getsockname()[1])
    conn, addr = server.accept()
if how == 'speaks':
    conn.send(b'hello')
for n in range(many):
    print('got', repr(conn.recv(9999).decode('utf-8')))
conn.close()
print('ended')
