"""6.6: `pod explain` for a pod of each mode, and for pods that are refused in
a lab for every reason that a lab can bring about from outside."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "bgp"))
from lab import Lab, wait  # noqa: E402

DC = {"site": "dc", "labels": {"linsey.dev/site": "dc"}, "product": "PowerEdge R650",
      "join": "later"}
CLOUD_LABELS = {"alibabacloud.com/external": "true", "topology.kubernetes.io/zone": "cn-lab-a"}


def topology(plan):
    """Beside the shipped nodes, some to be refused."""
    nodes = plan["nodes"]
    nodes["m3"] = DC | {"address": "10.0.1.13", "blocks": []}
    nodes["m4"] = DC | {"address": "10.0.1.14", "blocks": ["10.244.1.0/29"]}
    nodes["m5"] = DC | {"address": "10.0.1.15", "labels": {"place": "attic"}, "blocks": []}
    cloud = {"site": "cloud", "zone": "cn-lab-a", "instanceType": "ecs.g7.xlarge",
             "labels": CLOUD_LABELS, "product": "Alibaba Cloud ECS", "join": "later"}
    for at in range(1, 10):
        nodes[f"e{at}"] = cloud | {"address": f"172.16.0.{30 + at}"}
    nodes["e9"]["labels"] = CLOUD_LABELS | {"topology.kubernetes.io/zone": "cn-lab-b"}
    plan["agent"]["eni"]["pool"] = {"minIdle": 0, "maxIdle": 0}
    plan["agent"]["ipam"] = {"wait": "3s"}


class Story:
    def __init__(self, lab):
        self.lab = lab
        self.good = True
        self.codes = []

    def explain(self, node, pod):
        done = self.lab.ctl(node, "pod", "explain", f"default/{pod}", "-o", "json")
        text = self.lab.ctl(node, "pod", "explain", f"default/{pod}")
        return done.returncode, json.loads(done.stdout), text.stdout

    def add(self, node, pod, capabilities=None):
        words = ["pod", "add", node, pod, "--unpublished", "-o", "json"]
        if capabilities:
            words += ["--capabilities", json.dumps(capabilities)]
        done = subprocess.run(self.lab.argv(*words), capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout)[0]
        return answer.get("error", {}).get("msg", ""), answer

    def fail(self, what):
        print(f"FAILED: {what}")
        self.good = False

    def held(self, node, pod, *words):
        error, answer = self.add(node, pod)
        code, told, text = self.explain(node, pod)
        print(text, end="")
        if "held" not in told:
            sys.exit(f"{node}: no answer: {told}; ADD: {error}")
        addresses = [one for row in told["held"] for one in row["allocation"]["addresses"]]
        if error or code != 0 or addresses != answer["addresses"] or \
                not all(word in text for word in words):
            self.fail(f"{node}: {error} {addresses} {answer}")

    def refused(self, code, node, pod="p", capabilities=None):
        error, _ = self.add(node, pod, capabilities)
        exit_code, told, text = self.explain(node, pod)
        reason = told["refused"] or {}
        self.codes.append(code)
        said = reason.get("code")
        print(f"{code:22} {node}: {reason.get('msg', told)}"[:170])
        if not error or exit_code != 1 or said != code or reason["remedy"] not in text:
            self.fail(f"{node}: wanted {code}, explain says {said}; ADD said {error}")

    def configure(self, node, change):
        self.lab.lab("agent", node, "stop")
        path = self.lab.root / f"nodes/{node}/etc/agent.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))
        self.lab.lab("agent", node, "start")
        wait(f"agent of {node}", lambda: self.lab.ctl(node, "status").returncode != 2)

    def list_v_switch(self, node, v_switch):
        def change(config):
            config["eni"]["zones"] = {"cn-lab-a": {"vSwitches": [v_switch]}}
        self.configure(node, change)


def bare_metal(story):
    lab = story.lab
    story.held("m1", "web", "block 10.244.0.0/26", "longest free", "rule")
    story.refused("AddressNotOurs", "m1", "far", {"ips": ["192.0.2.1/32"]})
    taken = json.loads(lab.lab("pod", "list", "-o", "json"))[0]["addresses"][0]
    story.refused("AddressTaken", "m1", "same", {"ips": [f"{taken}/32"]})
    port = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
    story.add("m1", "port1", port)
    story.refused("HostPortTaken", "m1", "port2", port)
    lab.ctl("m2", "node", "drain-routes", "--limit", "0")
    story.refused("RoutesDrained", "m2")
    for node, code in (("m3", "NoBlock"), ("m5", "ModeUnknown"), ("x1", "ModeConflict")):
        lab.lab("join", node)
        story.refused(code, node)
    lab.lab("join", "m4")
    wait("m4", lambda: lab.ctl("m4", "status").returncode == 0)
    for at in range(8):
        story.add("m4", f"fill{at}")
    story.refused("BlockExhausted", "m4", "last")


def cloud(story):
    lab = story.lab
    lab.lab("agent", "c1", "start")
    story.held("c1", "web", "vSwitch vsw-lab0poda", "zone cn-lab-a", "ENI eni-", "table")
    lab.lab("join", "c3")
    story.refused("ZoneNotMapped", "c3")
    for node in (f"e{at}" for at in range(1, 10)):
        lab.lab("join", node)
    story.refused("ZoneMismatch", "e9")
    for node, v_switch, code in (("e1", "vsw-nobody0knows", "VSwitchNotFound"),
                                 ("e2", "vsw-lab0podb", "VSwitchWrongZone"),
                                 ("e3", "vsw-lab0hosta", "VSwitchIsHost")):
        story.list_v_switch(node, v_switch)
        story.refused(code, node)
    lab.lab("fault", "CreateNetworkInterface.denied=true")
    story.refused("CloudForbidden", "e4")
    lab.lab("fault", "CreateNetworkInterface.denied=false")
    lab.lab("fault", "CreateNetworkInterface.refuse=SecurityGroupInstanceLimitExceed")
    story.refused("SecurityGroupFull", "e5")
    lab.lab("fault", "attach=60s")
    story.refused("ENINotReady", "e6")
    lab.lab("fault", "attach=100ms")
    lab.lab("fault", "full.vsw-lab0poda=InvalidVSwitchId.IpNotEnough")
    story.refused("VSwitchExhausted", "e7")
    lab.lab("fault", "full.vsw-lab0poda=none")
    lab.lab("fault", "CreateNetworkInterface.refuse=Throttling")
    story.refused("CloudThrottled", "e8")


def main():
    with Lab("hybrid", topology) as lab:
        lab.lab("node", "list", "--wait")
        story = Story(lab)
        bare_metal(story)
        cloud(story)
        _, told, text = story.explain("m1", "never-seen")
        print(text, end="")
        if told["verdict"] != "none":
            story.fail("a pod nobody asked for")
    print(f"{len(story.codes)} reasons brought about in the lab, "
          f"{len(set(story.codes))} different, explained as the ADD was refused")
    return 0 if story.good else 1


if __name__ == "__main__":
    sys.exit(main())
