"""M25-M38: DEL, STATUS and GC."""

import json
import os
import pathlib
import signal
import stat
import time

import kernel
from case import case, expect, expect_equal
from main_plugin import host_interface, pod_ips

GC_LIST = "cni.dev/valid-attachments"
GC_OLD_LIST = "cni.dev/attachments"


@case("M25", "DEL twice succeeds twice")
def m25(world):
    netns = world.sandbox()
    world.add(netns)
    world.delete(netns)
    world.delete(netns)
    world.nothing_left()


@case("M26", "DEL of what was never added succeeds")
def m26(world):
    before = world.snapshot()
    world.delete("/run/netns/none", cid="never")
    expect_equal(world.snapshot(), before, "after DEL")


@case("M27", "DEL without a namespace removes everything on the host")
def m27(world):
    for path in (None, "", "gone"):
        netns, cid = world.sandbox(), world.cid()
        world.add(netns, cid=cid)
        if path == "gone":
            # Held open, so that only the path is gone and the link stays.
            keep = os.open(f"/run/netns/{netns}", os.O_RDONLY)
            kernel.run_ip("netns", "del", netns)
            world.delete(netns, cid=cid)
            os.close(keep)
        else:
            world.delete("", cid=cid, CNI_NETNS=path)
        world.nothing_left(f"CNI_NETNS {path!r}")


@case("M28", "DEL succeeds when the interface was deleted by hand")
def m28(world):
    netns = world.sandbox()
    world.add(netns)
    kernel.run_ip("link", "del", "eth0", netns=netns)
    world.delete(netns)
    world.nothing_left()


@case("M29", "DEL without prevResult removes everything")
def m29(world):
    netns = world.sandbox()
    world.add(netns)
    world.delete(netns)
    world.nothing_left()


@case("M30", "DEL with another's prevResult removes only its own")
def m30(world):
    one, two = world.sandbox(), world.sandbox()
    world.add(one, cid="c1")
    other = world.add(two, cid="c2")
    world.delete(one, cid="c1", conf=world.conf(prevResult=other))
    world.check(two, other, cid="c2").silent("the other")
    expect_equal(len(kernel.pod_links()), 1, "host links")


@case("M31", "DEL does not care for what the configuration has become")
def m31(world):
    for change in ({"mtu": 70000}, {"mtu": "x"}, {"ipam": 5},
                   {"runtimeConfig": {"ips": 7, "portMappings": {}}},
                   {"agentWait": "never"}, {"logLevel": 9}):
        netns, cid = world.sandbox(), world.cid()
        world.add(netns, cid=cid)
        world.delete(netns, cid=cid, conf=world.conf(**change))
        world.nothing_left(str(change))


@case("M32", "a late DEL of A leaves B alone, which got A's address")
def m32(world):
    one, two = world.sandbox(), world.sandbox()
    first = world.add(one, cid="ca")
    address = pod_ips(first)[0]
    world.delete(one, cid="ca")
    second = world.add(two, cid="cb", conf=world.conf(
        runtimeConfig={"ips": [address]}))
    expect_equal(pod_ips(second)[0], address, "B's address")
    world.delete(one, cid="ca", conf=world.conf(prevResult=first))
    world.check(two, second, cid="cb").silent("B")
    expect(kernel.tcp(address, server_netns=two), "B is unreachable")


def notes(world):
    return sorted(pathlib.Path(world.agent.notes).glob("*.note"))


@case("M33", "DEL while the agent is down removes the link and leaves a note")
def m33(world):
    netns, cid = world.sandbox(), world.cid()
    world.add(netns, cid=cid)
    world.agent.stop(signal.SIGKILL)

    file = world.home / "regular-file"
    file.write_text("")
    refused = world.call("DEL", netns=netns, cid=cid,
                         conf=world.conf(notesDir=f"{file}/notes"))
    document = refused.error(what="no note can be left")
    expect("not found" not in json.dumps(document), document)

    world.delete(netns, cid=cid)
    expect_equal(kernel.pod_links(), [], "host links")
    expect_equal(len(notes(world)), 1, "notes")
    mode = stat.S_IMODE(os.stat(world.agent.notes).st_mode)
    expect_equal(mode, 0o700, "mode of the notes' directory")

    world.agent.start()
    deadline = time.monotonic() + 10
    while (world.agent.held() or notes(world)) and time.monotonic() < deadline:
        time.sleep(0.02)
    expect_equal(notes(world), [], "notes after the agent's start")
    world.nothing_left()


@case("M34", "STATUS: healthy, agent down, pool empty")
def m34(world):
    conf = world.conf("1.1.0")
    world.call("STATUS", conf=conf).silent("healthy")
    healthy = world.agent
    try:
        world.agent = world.new_agent(blocks=["10.77.1.0/32"])
        world.call("STATUS", conf=world.conf("1.1.0")).error(50, what="down")
        world.agent.start()
        netns = world.sandbox()
        world.call("STATUS", conf=world.conf("1.1.0")).silent("one address free")
        world.add(netns)
        began = time.monotonic()
        empty = world.call("STATUS", conf=world.conf("1.1.0")).error(50)
        expect("BlockExhausted" in empty["msg"], empty)
        expect(time.monotonic() - began < 1, "STATUS took a second")
        world.delete(netns)
        world.call("STATUS", conf=world.conf("1.1.0")).silent("free again")
    finally:
        world.agent.stop()
        world.agent = healthy


def two_pods(world, network="net1"):
    """Two attachments; the first one's sandbox, result and list entry."""
    conf = world.conf(name=network)
    one, two = world.sandbox(), world.sandbox()
    kept = world.add(one, cid=f"{network}a", conf=conf)
    world.add(two, cid=f"{network}b", conf=conf)
    return one, kept, {"containerID": f"{network}a", "ifname": "eth0"}


def collect(world, **lists):
    world.call("GC", conf=world.conf("1.1.0", **lists), cid="", netns="",
               ifname="").silent("GC")


def expect_first_alone(world, netns, result, network="net1"):
    expect_equal(kernel.pod_links(), [host_interface(result)["name"]])
    world.check(netns, result, cid=f"{network}a",
                conf=world.conf(name=network)).silent("the listed one")
    expect_equal(world.agent.held(), 2, "held addresses")


@case("M35", "GC collects what is not listed and leaves what is")
def m35(world):
    netns, result, entry = two_pods(world)
    collect(world, **{GC_LIST: [entry]})
    expect_first_alone(world, netns, result)


@case("M36", "GC with null and with [] collects all of this network alone")
def m36(world):
    netns, result, entry = two_pods(world, "othernet")
    world.call("GC", conf=world.conf("1.1.0", name="othernet",
                                     **{GC_LIST: [entry]})).silent("GC")
    for empty in (None, []):
        two_pods(world)
        conf = world.conf("1.1.0") | {GC_LIST: empty, GC_OLD_LIST: empty}
        world.call("GC", conf=conf, cid="", netns="", ifname="").silent("GC")
        expect_first_alone(world, netns, result, "othernet")
    world.call("GC", conf=world.conf("1.1.0", name="othernet",
                                     **{GC_LIST: []})).silent("GC")


@case("M37", "GC with neither key removes nothing")
def m37(world):
    two_pods(world)
    before = world.snapshot()
    collect(world)
    expect_equal(world.snapshot(), before, "after GC")


@case("M38", "GC reads the older key")
def m38(world):
    netns, result, entry = two_pods(world)
    collect(world, **{GC_OLD_LIST: [entry]})
    expect_first_alone(world, netns, result)
