#!/usr/bin/env python3
"""A client in the data centre calls NodePorts and a hostPort of a cloud node
whose pods are on a secondary ENI, with the way back and without it.

kube-proxy's part is played by its own rules: a destination changed to the
pod's, once with the client's address kept (externalTrafficPolicy: Local) and
once masqueraded (Cluster).

usage: node_port.py on|off     (root; exit 0: answered as that word says)
"""

import json
import sys

import lab as cloud_lab

SERVER = r"""
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 8080)); s.listen(16); print("up", flush=True)
while True:
    c, peer = s.accept(); c.sendall(peer[0].encode()); c.close()
"""
CLIENT = r"""
import socket, sys
s = socket.socket(); s.settimeout(2)
try:
    s.connect((sys.argv[1], int(sys.argv[2]))); print(s.recv(100).decode())
except OSError as e:
    print("none")
"""


def rules(pod):
    return f"""
table ip kube_proxy {{
  chain services {{
    type nat hook prerouting priority dstnat
    fib daddr type local tcp dport 30080 dnat to {pod}:8080
    fib daddr type local tcp dport 30081 meta mark set meta mark or 0x4000 dnat to {pod}:8080
  }}
  chain sources {{
    type nat hook postrouting priority srcnat
    meta mark and 0x4000 == 0x4000 masquerade
  }}
}}
"""


def main():
    on = sys.argv[1] == "on"
    spec = cloud_lab.shipped()
    spec["name"] = "nodeport"
    cloud_lab.keep_nodes(spec, "m1", "c1")
    if not on:
        spec["agent"]["eni"]["rules"] = {"returnMark": 0}
    with cloud_lab.Lab(spec) as lab:
        ports = {"portMappings": [{"hostPort": 30082, "containerPort": 8080,
                                   "protocol": "tcp"}]}
        lab("pod", "add", "c1", "web", "--capabilities", json.dumps(ports))
        pod = cloud_lab.address_of(lab.pods()[0])
        lab.sh("c1", f"nft -f - <<'X'\n{rules(pod)}\nX")
        server = lab.start("c1/web", "python3", "-u", "-c", SERVER)
        assert server.stdout.readline().strip() == "up"
        good = ask(lab, pod, on)
        server.kill()
    return 0 if good else 1


def ask(lab, pod, on):
    good = True
    for port, what in ((30080, "NodePort, policy Local"),
                       (30081, "NodePort, policy Cluster"),
                       (30082, "hostPort")):
        answers = [lab("exec", "m1", "--", "python3", "-c", CLIENT,
                       "172.16.0.11", str(port)).stdout.strip()
                   for _ in range(5 if on else 1)]
        answered = len([a for a in answers if a != "none"])
        good = good and answered == (len(answers) if on else 0)
        print(f"{'with' if on else 'without'} the way back: {what} 172.16.0.11:"
              f"{port} -> {pod}:8080: {answered} of {len(answers)} answered"
              f"{', client seen as ' + answers[0] if answered else ''}")
    return good


if __name__ == "__main__":
    sys.exit(main())
