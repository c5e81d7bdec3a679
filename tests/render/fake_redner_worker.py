"""Stands in for the worker where Redner is not installed: speaks the protocol, and misbehaves when told to."""

import importlib.util
import os
import sys
import time

spec = importlib.util.spec_from_file_location("protocol", sys.argv[1])
protocol = importlib.util.module_from_spec(spec)
spec.loader.exec_module(protocol)


def read_exactly(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        raise EOFError
    return data


def send(kind, fields=None, arrays=None):
    for block in protocol.encode(kind, fields, arrays):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()


send("ready", {"foreign": [name for name in ("PYTHONPATH", "VIRTUAL_ENV") if name in os.environ]})
while True:
    try:
        kind, fields, arrays = protocol.decode(read_exactly)
    except EOFError:
        break
    if kind == "echo":
        send("done", fields, arrays)
    elif kind == "fail":
        send("error", {"traceback": "ValueError: no such scene"})
    elif kind == "crash":
        print("\n".join(f"line {k}" for k in range(40)), "cannot allocate", sep="\n", file=sys.stderr, flush=True)
        os.abort()
    elif kind == "sleep":
        time.sleep(60)
    elif kind == "slow":
        for _ in range(fields["signs"]):
            time.sleep(fields["pause_s"])
            send("alive")
        send("done", {"slow": True})
    elif kind == "deaf":
        while True:
            time.sleep(60)
    elif kind == "babble":
        sys.stdout.write("Forward pass, time: 0.1 s\n")
        sys.stdout.flush()
