"""C1-C7: Linsey in a chain, and its own shaping instead of a chained one."""

import json
import os
import subprocess

import kernel
from case import case, expect, expect_equal
from loopback import FULL
from main_plugin import container_interface, host_interface
from world import VERSIONS


@case("C1", "ADD without prevResult is a call, not a crash",
      inapplicable="Linsey is a main plugin and need not be chained; shown: "
                   "with shaping and without prevResult it works")
def c1(world):
    bandwidth = {"ingressRate": 1000000, "ingressBurst": 1000000}
    world.add(world.sandbox(),
              conf=world.conf(runtimeConfig={"bandwidth": bandwidth}))


@case("C2", "what plugins before it made is passed on, in every version")
def c2(world):
    for version in VERSIONS[2:]:
        previous = json.loads(json.dumps(FULL)) | {"cniVersion": version}
        if version < "1.0.0":
            for one in previous["interfaces"]:
                for key in ("mtu", "socketPath", "pciID"):
                    one.pop(key, None)
            previous["ips"][0]["version"] = "4"
        result = world.add(world.sandbox(), cid=world.cid(), conf=world.conf(
            version, prevResult=previous))
        expect_equal(result["cniVersion"], version)
        for key in ("interfaces", "ips", "routes"):
            expect_equal(result[key][:len(previous[key])], previous[key],
                         f"{key} at {version}")
        expect_equal(result["dns"], previous["dns"], f"dns at {version}")


@case("C3", "an index of prevResult that points nowhere crashes nothing")
def c3(world):
    ip = {"address": "10.9.0.7/24"}
    for index in (7, -1, 2**40, None):
        for interfaces in ([], [{"name": "other0"}]):
            previous = {"cniVersion": "1.0.0", "interfaces": interfaces,
                        "ips": [ip | {"interface": index}]}
            netns, cid = world.sandbox(), world.cid()
            done = world.call("ADD", netns=netns, cid=cid,
                              conf=world.conf(prevResult=previous))
            result = done.ok(f"index {index}").json
            world.check(netns, result, cid=cid).silent(f"index {index}")


@case("C4", "a rate without a burst, a burst without a rate, a burst of 2^35")
def c4(world):
    for bandwidth in ({"ingressRate": 1000000}, {"ingressBurst": 1000000},
                      {"egressRate": 1000000}, {"egressBurst": 1000000},
                      {"ingressRate": 1000000, "ingressBurst": 2**35},
                      {"ingressRate": -1, "ingressBurst": 8},
                      {"ingressRate": 1, "ingressBurst": 8}):
        world.refuse("ADD", 6, 7, netns=world.sandbox(), what=str(bandwidth),
                     conf=world.conf(runtimeConfig={"bandwidth": bandwidth}))


def tbf(name):
    found = [q for q in kernel.qdiscs(name) if q["kind"] == "tbf"]
    expect_equal(len(found), 1, f"token buckets of {name}")
    return found[0]["options"]


@case("C5", "large bursts and rates reach the kernel without wrapping")
def c5(world):
    # The runtimes' defaults; then a rate that 32 bits cannot say.
    for rate, burst in ((10**6, 4294967295), (10**9, 34359738359),
                        (10**11, 34359738359)):
        bandwidth = {"ingressRate": rate, "ingressBurst": burst,
                     "egressRate": rate, "egressBurst": burst}
        netns, cid = world.sandbox(), world.cid()
        result = world.add(netns, cid=cid, conf=world.conf(
            runtimeConfig={"bandwidth": bandwidth}))
        ifbs = [name for name in kernel.links() if name.startswith("lfb")]
        expect_equal(len(ifbs), 1, "ifb devices")
        for name in (host_interface(result)["name"], ifbs[0]):
            options = tbf(name)
            expect_equal(options["rate"], rate // 8, f"rate of {name}")
            # Capped on purpose: a second of the rate, 256 MiB at most.
            wanted = min(rate // 8, 2**28)
            expect(abs(options["burst"] - wanted) <= wanted // 50,
                   f"burst of {name}: {options}, wanted {wanted}")
        world.delete(netns, cid=cid)
        expect_equal([n for n in kernel.links() if n.startswith("lfb")], [])


@case("C6", "DEL without prevResult and namespace, twice, takes shaping away")
def c6(world):
    bandwidth = {"ingressRate": 10**6, "ingressBurst": 10**6,
                 "egressRate": 10**6, "egressBurst": 10**6}
    netns, before = world.sandbox(), kernel.links()
    world.add(netns, conf=world.conf(runtimeConfig={"bandwidth": bandwidth}))
    for _ in range(2):
        world.delete("", CNI_NETNS=None)
        expect_equal(kernel.links(), before, "links")
    world.nothing_left()


FAILING = """#!/bin/sh
# A chained plugin whose ADD fails.
[ "$CNI_COMMAND" = ADD ] || exit 0
cat > /dev/null
echo '{"cniVersion":"1.0.0","code":100,"msg":"refused on purpose"}'
exit 1
"""


@case("C7", "a plugin behind it fails ADD; the DEL of the chain leaves nothing")
def c7(world):
    plugin = world.home / "failing"
    plugin.write_text(FAILING)
    os.chmod(plugin, 0o755)
    netns = world.sandbox()

    # What libcni does: forward on ADD, stop at the error, backward on DEL
    # without a prevResult, since nothing was cached.
    result = world.add(netns)
    env = world.environment("ADD", netns=netns)
    conf = world.conf(prevResult=result)
    failed = subprocess.run([str(plugin)], env=env, capture_output=True,
                            input=json.dumps(conf).encode(), check=False)
    expect(failed.returncode != 0, "the chained plugin was to fail")
    subprocess.run([str(plugin)], env=env | {"CNI_COMMAND": "DEL"},
                   input=b"{}", check=True)
    world.delete(netns)
    expect_equal(container_interface(result)[1]["name"], "eth0")
    expect(kernel.link("eth0", netns) is None, "eth0 is still there")
    world.nothing_left()
