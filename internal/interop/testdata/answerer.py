# A server that reads its peer's question to the end, shows it, and only then answers, a little at a time.
import socket
import sys

server = socket.create_server(('127.0.0.1', int(sys.argv[1])))
conn, addr = server.accept()
while data := conn.recv(9999):
    sys.stderr.write(data.decode('utf-8'))
for n in range(1, 200001):
    conn.sendall(b'%d\n' % n)
conn.close()
