#!/usr/bin/env python3
"""Writes install/base/configmap.yaml: the configuration a cluster starts from,
and above it what every key means, out of docs/configuration.md.

usage: configmap.py SOURCE_ROOT > install/base/configmap.yaml
"""

import json
import pathlib
import re
import sys
import textwrap

START = {
    "version": 1,
    "cluster": "default",
    "kubernetes": {"source": "in-cluster", "configMap": {"name": "linsey-config"}},
    "metricsListen": "127.0.0.1:9479",
    "modes": [
        {"name": "bare-metal", "selector": "linsey.dev/mode=bgp", "mode": "bgp"},
        {"name": "cloud", "selector": "linsey.dev/mode=eni", "mode": "eni"},
    ],
    "cidrs": {"services": ["10.96.0.0/16"], "vpc": ["10.0.0.0/12"],
              "dataCentre": ["172.16.0.0/16"], "nodes": []},
    "pools": [],
    "blocks": {"source": "cluster"},
    "bgp": {"asNumber": 64512,
            "peers": [{"name": "rr1", "address": "172.16.0.1", "asNumber": 64512}]},
    "eni": {"zones": {"cn-shenzhen-a": {"vSwitches": ["vsw-REPLACE-ME"]}},
            "securityGroups": ["sg-REPLACE-ME"]},
    "cni": {"confDir": "/etc/cni/net.d", "binDir": "/opt/cni/bin",
            "conflist": "10-linsey.conflist"},
    "log": {"level": "info", "format": "json"},
}

HEAD = """\
# The configuration of all agents, and of the controller. Strict JSON: a key
# that is not known is refused and the last valid document stays in force, so
# try a change first with `linseyctl config check` and `linseyctl preflight
# --config`. What says REPLACE-ME must be replaced. Every key, its default and
# what it means:
#
"""


def rows(text):
    part = text[text.index("\n## agent.json"):text.index("\n## The conflist entry")]
    for line in part.splitlines():
        found = re.match(r"\| `([^`]+)` \| (.*?) \| (.*) \|$", line)
        if found:
            yield found.groups()


def comments(text):
    for key, default, meaning in rows(text):
        default = default.replace("`", "")
        yield f"# {key}" + (f" (default {default})" if default else "")
        yield from ("#     " + line for line in textwrap.wrap(meaning.replace("`", ""), 72))


def main():
    root = pathlib.Path(sys.argv[1])
    page = (root / "docs/configuration.md").read_text()
    document = json.dumps(START, indent=2)
    print(HEAD + "\n".join(comments(page)))
    print("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linsey-config\n"
          "  namespace: kube-system\ndata:\n  agent.json: |")
    print(textwrap.indent(document, "    "))


if __name__ == "__main__":
    main()
