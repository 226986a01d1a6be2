"""1,000 echo requests a second to one address until SIGINT, each sent at its
time or, after a stall of this process, as soon as it can. Prints how many were
sent, answered, and in how many seconds."""

import os
import select
import signal
import sys
import time

import icmp

RATE = 1000
LINGER = 2.0  # for answers that are on their way


def main():
    address = sys.argv[1]
    family = icmp.family_of(address)
    ident = os.getpid() & 0xffff
    one = icmp.open_socket(family)
    one.setblocking(False)
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(True))
    sent, seen, ended = 0, set(), None
    began = time.monotonic()
    while True:
        now = time.monotonic()
        if stop and ended is None:
            ended = now
        if ended is None:
            while sent < (now - began) * RATE:
                one.sendto(icmp.request(family, ident, sent), (address, 0))
                sent += 1
        elif len(seen) == sent or now - ended > LINGER:
            break
        wait = 0.05 if ended else max(0, began + sent / RATE - now)
        while select.select([one], [], [], wait)[0]:
            number = icmp.reply(family, one.recv(2048), ident)
            if number is not None:
                seen.add(number)
            wait = 0
    print(sent, len(seen), f"{ended - began:.3f}", flush=True)


if __name__ == "__main__":
    main()
