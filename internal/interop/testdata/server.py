# A server as a first lesson on sockets has it: one recv is one message, and turns are strict.
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(('127.0.0.1', 0))
server.listen(100)
print('port', server.getsockname()[1])
conn, addr = server.accept()
conn.send('Can I help you?'.encode('utf-8'))
while True:
    data = conn.recv(9999).decode('utf-8')
    print('got', repr(data))
    if data.lower() == 'bye':
        conn.send('Bye'.encode('utf-8'))
        break
    conn.send(input().encode('utf-8'))
conn.close()
server.close()
print('ended')
