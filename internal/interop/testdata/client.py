# A client as a first lesson on sockets has it: it hears the greeting, then turns are strict.
import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(('127.0.0.1', int(sys.argv[1])))
while True:
    data = client.recv(9999).decode('utf-8')
    print('got', repr(data))
    if data.lower() == 'bye':
        client.send('Bye'.encode('utf-8'))
        break
    client.send(input().encode('utf-8'))
client.close()
print('ended')
