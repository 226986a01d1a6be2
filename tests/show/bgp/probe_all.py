"""Pings every address of a file (one a line) from here, all at the same time,
and prints those that never answered. Requests are sent anew each second, so
that only a path that does not work for 5 s is missing."""

import select
import socket
import sys
import time

import icmp

TRIES = 5
IDENT = 77


def collect(sockets, missing, seconds):
    end = time.monotonic() + seconds
    while missing and (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select(list(sockets.values()), [], [], left)
        for one in ready:
            data, source = one.recvfrom(2048)
            if icmp.reply(one.family, data, IDENT) is not None:
                missing.discard(source[0])


def main():
    with open(sys.argv[1]) as file:
        missing = set(file.read().split()) - set(sys.argv[2:])
    sockets = {family: icmp.open_socket(family)
               for family in (socket.AF_INET, socket.AF_INET6)}
    asked = len(missing)
    for _ in range(TRIES):
        for number, address in enumerate(sorted(missing)):
            family = icmp.family_of(address)
            sockets[family].sendto(icmp.request(family, IDENT, number),
                                   (address, 0))
            if number % 50 == 49:
                collect(sockets, missing, 0.01)
        collect(sockets, missing, 1)
    print(asked, *sorted(missing))


if __name__ == "__main__":
    main()
