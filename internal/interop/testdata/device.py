# A device that asks for a name and does not end the line. What it reads from its input it sends as it is, $ as a line
# end, and then says that it has.
import socket
import sys
import threading

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(('127.0.0.1', 0))
server.listen(1)
print('port', server.getsockname()[1])
conn, addr = server.accept()


def more():
    for line in sys.stdin:
        conn.sendall(line[:-1].replace('$', '\r\n').encode())
        print('sent', repr(line[:-1]))


threading.Thread(target=more, daemon=True).start()
while True:
    data = conn.recv(9999).decode('utf-8')
    if not data:
        break
    print('got', repr(data))
conn.close()
