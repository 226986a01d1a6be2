"""What the probers share: ICMP echo of both families over raw sockets."""

import socket
import struct


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def open_socket(family):
    protocol = 1 if family == socket.AF_INET else 58
    one = socket.socket(family, socket.SOCK_RAW, protocol)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    return one


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def request(family, ident, number):
    """`number` has 32 bits: it travels as the payload."""
    kind = 8 if family == socket.AF_INET else 128
    tail = struct.pack("!HHI", ident, number & 0xffff, number)
    total = checksum(struct.pack("!BBH", kind, 0, 0) + tail)
    return struct.pack("!BBH", kind, 0, total) + tail  # v6: the kernel's


def reply(family, data, ident):
    """The number of an echo reply, or None."""
    if family == socket.AF_INET:
        data = data[20:]
    if len(data) < 12 or data[0] != (0 if family == socket.AF_INET else 129):
        return None
    got, _, number = struct.unpack("!HHI", data[4:12])
    return number if got == ident else None
