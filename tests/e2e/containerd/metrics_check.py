"""Runs an agent with a pod's worth of traffic on its socket, lints what it
exports by promtool, and prints how many of the metrics that rules and panels
name are there (those of the other mode are not)."""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import yaml

import node

SOURCE = pathlib.Path(os.environ["LINSEY_SOURCE"])


def exported() -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(node.AGENT_SOCKET)
        connection.sendall(b"GET /metrics HTTP/1.0\r\nHost: agent\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.read().decode()


def named() -> set[str]:
    rules = yaml.safe_load((SOURCE / "install/monitoring/alerts.yaml").read_text())
    board = json.loads((SOURCE / "install/monitoring/dashboard.json").read_text())
    texts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    texts += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return {re.sub(r"_(bucket|sum|count)$", "", name)
            for text in texts for name in re.findall(r"linsey_[a-z_]+", text)}


def main() -> int:
    with node.running_agent():
        text = exported()
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                          capture_output=True, check=False)
    print(lint.stdout + lint.stderr, end="")
    there = set(re.findall(r"(?m)^# TYPE (\S+) ", text))
    missing = sorted(named() - there)
    print(f"{len(there)} metric families, lint exit {lint.returncode}; "
          f"{len(named())} named by rules and panels, not on a bare-metal node: {missing}")
    other_mode = {"linsey_enis", "linsey_cloud_calls_total", "linsey_cloud_call_seconds",
                  "linsey_api_current", "linsey_api_watch_bytes_total"}
    return 1 if lint.returncode or set(missing) - other_mode else 0


if __name__ == "__main__":
    sys.exit(main())
