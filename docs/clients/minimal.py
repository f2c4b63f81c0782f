"""A small qun client on a blocking socket:  python3 minimal.py CODE NAME [HOST PORT]

Two things block here, reading the socket and reading stdin, so it takes two threads. with_select.py takes one.
"""
import json, secrets, socket, sys, threading

code, name, host, port = (sys.argv[1:] + ["127.0.0.1", "7777"][len(sys.argv) - 3:])[:4]
conn, turn = socket.create_connection((host, int(port))), threading.Lock()
lines = conn.makefile("rb")

def send(**frame):
    with turn:  # both threads send, and lines must not mix
        conn.sendall(json.dumps(frame).encode() + b"\n")

def receive():
    for line in lines:  # blocks until there is a line, or the end
        frame = json.loads(line)
        if frame["t"] == "ping":
            send(t="pong", n=frame["n"])
        elif frame["t"] == "msg":
            print(f"<{frame['name']}> {frame['text']}", flush=True)
        elif frame["t"] in ("error", "bye"):
            print("--", frame["text"], file=sys.stderr)
        if frame.get("re") == "join":
            return frame.get("room")  # of an error there is none

send(t="hello", v=[1], name=name)
send(t="join", id="join", code=code)
room = receive() or sys.exit(1)
receiver = threading.Thread(target=receive)
receiver.start()
for text in filter(str.strip, sys.stdin):
    send(t="say", id=secrets.token_urlsafe(12), room=room["id"], text=text.rstrip("\n"))
send(t="bye")  # the server says what it still has and closes, and that ends the other thread
receiver.join()
