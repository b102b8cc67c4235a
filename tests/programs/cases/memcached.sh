# witness: */memcached */python3.*
# memcached with four threads on a unix socket; four clients set, read back, count, compare and delete.

limits=; [ "$(id -u)" = 0 ] && limits='-u root'
memcached $limits -s "$PWD/memcached.sock" -m 128 -t 4 -c 100 -v 2>memcached.log &
server=$!
trap 'kill $server 2>/dev/null || true; wait' EXIT
until [ -S memcached.sock ]; do kill -0 $server; sleep 0.05; done

cat >client.py <<'PYTHON'
"""Four threads, each with a connection and keys of its own: what was set must come back."""
import hashlib
import socket
import threading

PATH = "memcached.sock"


class Client:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(PATH)
        self.file = self.socket.makefile("rb")

    def line(self):
        return self.file.readline().rstrip(b"\r\n")

    def ask(self, command):
        self.socket.sendall(command + b"\r\n")
        return self.line()

    def put(self, key, value, verb=b"set", more=b""):
        return self.ask(b"%s %s 0 0 %d%s\r\n%s" % (verb, key, len(value), more, value))

    def get(self, key, verb=b"get"):
        head = self.ask(verb + b" " + key)
        if head == b"END":
            return None
        value = self.file.read(int(head.split()[3]) + 2)[:-2]
        assert self.line() == b"END"
        return value, head.split()[-1]


def value_of(thread, number):
    seed = hashlib.sha256(b"%d %d" % (thread, number)).digest()
    return seed * (number % 90 + 1)


def work(thread, totals):
    client, count = Client(), 0
    for number in range(2500):
        key = b"key:%d:%d" % (thread, number)
        assert client.put(key, value_of(thread, number)) == b"STORED"
        if number % 3 == 0:
            assert client.put(key, b"tail", b"append") == b"STORED"
    for number in range(2500):
        key = b"key:%d:%d" % (thread, number)
        wanted = value_of(thread, number) + (b"tail" if number % 3 == 0 else b"")
        assert client.get(key)[0] == wanted, key
        count += len(wanted)
        if number % 5 == 0:
            assert client.ask(b"delete " + key) == b"DELETED"
            assert client.get(key) is None
    client.put(b"counter:%d" % thread, b"1")
    for _ in range(1000):
        last = client.ask(b"incr counter:%d 3" % thread)
    assert last == b"3001"
    _, unique = client.get(b"counter:%d" % thread, b"gets")
    assert client.put(b"counter:%d" % thread, b"0", b"cas", b" " + unique) == b"STORED"
    assert client.put(b"counter:%d" % thread, b"0", b"cas", b" " + unique) == b"EXISTS"
    totals[thread] = count


totals = [None] * 4
threads = [threading.Thread(target=work, args=(number, totals)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("bytes read back:", totals)

client = Client()
client.socket.sendall(b"stats\r\n")
stats = {}
while (line := client.line()) != b"END":
    _, name, value = line.split(b" ", 2)
    stats[name.decode()] = value.decode()
for name in ("curr_items", "cmd_set", "delete_hits", "incr_hits", "cas_hits", "cas_badval", "evictions", "threads"):
    print(name, stats[name])

big = bytes(range(256)) * 3900
print("big:", client.put(b"big", big), client.get(b"big")[0] == big)
print("too big:", client.put(b"huge", bytes(1 << 20) + b"more"))
for number in range(200):  # more than the limit of memory: old values go
    client.put(b"fill:%d" % number, big)
print("last fill:", client.get(b"fill:199")[0] == big)
print(client.ask(b"flush_all"), client.get(b"big"))
PYTHON
/usr/bin/python3 client.py
kill $server
wait $server || echo "server status $?"
