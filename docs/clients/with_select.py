"""A small qun client on select:  python3 with_select.py CODE NAME [HOST PORT]

One thread waits for the socket and for stdin at once, and for room to send only while there is something to send.
"""
import json, os, secrets, select, socket, sys

code, name, host, port = (sys.argv[1:] + ["127.0.0.1", "7777"][len(sys.argv) - 3:])[:4]
conn = socket.create_connection((host, int(port)))
conn.setblocking(False)
received, typed, unsent, room = b"", b"", b"", None
reading = [conn]  # and stdin, once we are in

def send(**frame):
    global unsent
    unsent += json.dumps(frame).encode() + b"\n"

send(t="hello", v=[1], name=name)
send(t="join", id="join", code=code)
while True:
    readable, writable, _ = select.select(reading, [conn] if unsent else [], [])
    if writable:
        unsent = unsent[conn.send(unsent):]  # the kernel may take less than all
    if conn in readable:
        chunk = conn.recv(65536)
        if not chunk:
            sys.exit(None if room else "the server closed the connection")
        *lines, received = (received + chunk).split(b"\n")  # the last is half a line, or empty
        for frame in map(json.loads, lines):
            if frame["t"] == "msg":
                print(f"<{frame['name']}> {frame['text']}", flush=True)
            elif frame["t"] == "joined":
                room = frame["room"]["id"]
                reading.append(sys.stdin)
            elif frame["t"] == "ping":
                send(t="pong", n=frame["n"])
            elif frame["t"] in ("error", "bye"):
                print("--", frame["text"], file=sys.stderr)
                if not room:
                    sys.exit(1)
    if sys.stdin in readable:
        # Not sys.stdin.readline(): it would take more lines into a buffer of its own, of which select knows nothing.
        chunk = os.read(sys.stdin.fileno(), 65536)
        *lines, typed = (typed + (chunk or b"\n")).split(b"\n")
        for text in filter(bytes.strip, lines):
            send(t="say", id=secrets.token_urlsafe(12), room=room, text=text.decode(errors="replace"))
        if not chunk:
            reading.remove(sys.stdin)  # at its end it would be readable for ever
            send(t="bye")
