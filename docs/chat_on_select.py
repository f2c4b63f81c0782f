"""A chat with rooms on select, as small as it can be right:  python3 chat_on_select.py [PORT]

nc 127.0.0.1 7000, then a room's code on the first line; every other line is said to all others in that room.
"""
import select, socket, sys

rooms = {b"red": set(), b"blue": set()}  # members by code
clients = {}  # by socket
LINE, UNSENT = 4096, 1 << 16  # bytes that a client may cost: of an unfinished line, and not yet taken

class Client:
    def __init__(self, sock):
        self.sock, self.room, self.received, self.unsent = sock, None, b"", b""

def accept():
    try:
        sock, _ = listener.accept()
    except OSError:  # who waited has gone; without free descriptors this turns for nothing, but goes on
        return
    if sock.fileno() >= 1024:  # FD_SETSIZE: select would fail, for everybody
        return sock.close()
    sock.setblocking(False)
    clients[sock] = Client(sock)  # what it has to say, the loop will tell

def receive(client):
    try:
        chunk = client.sock.recv(4096)
    except BlockingIOError:
        return
    except OSError:  # reset: the end of this client, and of nobody else
        return leave(client)
    *lines, client.received = (client.received + chunk).split(b"\n")
    for line in lines:
        if client.room is None:
            client.room = rooms.get(line.strip())
            if client.room is None:
                return leave(client)
            client.room.add(client)
        else:
            for member in client.room - {client}:
                member.unsent += line + b"\n"
    if not chunk or len(client.received) > LINE:
        leave(client)

def send(client):
    try:
        client.unsent = client.unsent[client.sock.send(client.unsent):]  # the kernel may take less than all
    except BlockingIOError:
        pass
    except OSError:
        leave(client)

def leave(client):
    if client.room is not None:
        client.room.discard(client)
    if clients.pop(client.sock, None):
        client.sock.close()

listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 7000))
listener.setblocking(False)
print("listening on port", listener.getsockname()[1], flush=True)
while True:
    writing = [client.sock for client in clients.values() if client.unsent]
    readable, writable, _ = select.select([listener, *clients], writing, [])  # the only place that waits
    for sock in writable:
        send(clients[sock])
    for sock in readable:
        if sock is listener:
            accept()
        elif sock in clients:  # it may have left a moment ago
            receive(clients[sock])
    for slow in [client for client in clients.values() if len(client.unsent) > UNSENT]:
        leave(slow)
