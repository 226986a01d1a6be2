"""M39-M46: many at once, kills in the middle, odd arguments."""

import json
import os
import time

import kernel
from case import case, expect, expect_equal
from main_plugin import host_interface, pod_ips


def add_and_delete_many(world, count):
    """`count` ADDs at once, then as many DELs."""
    pods = [(world.sandbox(), world.cid()) for _ in range(count)]
    adds = [world.start("ADD", netns=netns, cid=cid) for netns, cid in pods]
    results = [world.finish(process).ok("ADD").json for process in adds]
    addresses = [ip for result in results for ip in pod_ips(result)]
    expect_equal(len(set(addresses)), 2 * count, "distinct addresses")
    deletes = [world.start("DEL", netns=netns, cid=cid) for netns, cid in pods]
    for process in deletes:
        world.finish(process).silent("DEL")
    world.nothing_left()


@case("M39", "50 parallel ADDs, then 50 parallel DELs")
def m39(world):
    add_and_delete_many(world, 50)


@case("M40", "the namespace goes 0 to 30 ms into ADD, 30 times")
def m40(world):
    for run in range(30):
        netns, cid = world.sandbox(), world.cid()
        process = world.start("ADD", netns=netns, cid=cid)
        process.stdin.write(process.input)
        process.stdin.close()
        process.stdin, process.input = None, None
        time.sleep(run / 1000)
        kernel.run_ip("netns", "del", netns)
        done = world.finish(process)
        if done.code != 0:
            done.error(what="an ADD that lost its namespace")
        world.delete(netns, cid=cid)
        world.nothing_left(f"after {run} ms")


def kill_after(world, verb, milliseconds, **how):
    process = world.start(verb, **how)
    process.stdin.write(process.input)
    process.stdin.close()
    process.stdin, process.input = None, None
    time.sleep(milliseconds / 1000)
    process.kill()
    world.finish(process)


def expect_nothing_left_soon(world, what):
    """The agent may notice a client that was killed a moment later."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return world.nothing_left(what)
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


@case("M41", "SIGKILL 0 to 15 ms into ADD, 30 times, each followed by DEL")
def m41(world):
    for run in range(30):
        netns, cid = world.sandbox(), world.cid()
        kill_after(world, "ADD", run / 2, netns=netns, cid=cid)
        world.delete(netns, cid=cid)
        expect_nothing_left_soon(world, f"after {run / 2} ms")


@case("M42", "SIGKILL 0 to 15 ms into DEL, 30 times, each followed by DEL")
def m42(world):
    for run in range(30):
        netns, cid = world.sandbox(), world.cid()
        world.add(netns, cid=cid)
        kill_after(world, "DEL", run / 2, netns=netns, cid=cid)
        world.delete(netns, cid=cid)
        expect_nothing_left_soon(world, f"after {run / 2} ms")


def held_wishes(world, cid):
    """Port mappings and bandwidth of one attachment, as the agent holds them."""
    for held in world.agent.get("/v1/ipam")["attachments"]:
        attachment = held["attachment"]
        if attachment["key"]["containerID"] == cid:
            return attachment["portMappings"], attachment["bandwidth"]
    raise AssertionError(f"{cid} is not held")


@case("M43", "capitalised capability keys have the effect of lower camel case")
def m43(world):
    lower = {"portMappings": [{"hostPort": 8080, "containerPort": 80,
                               "protocol": "tcp", "hostIP": "10.0.1.11"}],
             "bandwidth": {"ingressRate": 1000000, "ingressBurst": 1000000,
                           "egressRate": 2000000, "egressBurst": 2000000}}
    upper = {"portMappings": [{"HostPort": 8081, "ContainerPort": 80,
                               "Protocol": "TCP", "HostIP": "10.0.1.11"}],
             "bandwidth": {"IngressRate": 1000000, "IngressBurst": 1000000,
                           "EgressRate": 2000000, "EgressBurst": 2000000}}
    seen = []
    for wishes in (lower, upper):
        netns, cid = world.sandbox(), world.cid()
        result = world.add(netns, cid=cid,
                           conf=world.conf(runtimeConfig=wishes))
        mappings, bandwidth = held_wishes(world, cid)
        mappings[0].pop("hostPort")
        shaped = [(q["kind"], q.get("options")) for q in
                  kernel.qdiscs(host_interface(result)["name"])]
        seen.append((mappings, bandwidth, shaped))
    expect_equal(seen[0], seen[1], "effects")
    expect("tbf" in [kind for kind, _ in seen[0][2]], f"not shaped: {seen[0]}")
    expect_equal(seen[0][0][0]["containerPort"], 80)


def add_with_args(world, text):
    netns, cid = world.sandbox(), world.cid()
    return world.call("ADD", netns=netns, cid=cid, CNI_ARGS=text)


@case("M44", "unknown CNI_ARGS are ignored, with and without IgnoreUnknown")
def m44(world):
    for text in ("FOO=BAR", "IgnoreUnknown=1;FOO=BAR", "FOO=BAR;IgnoreUnknown=1"):
        add_with_args(world, text).ok(text)


@case("M45", "CNI_ARGS of odd shape crash nothing")
def m45(world):
    for text in ("K8S_POD_NAMESPACE=;K8S_POD_NAME=;K8S_POD_UID=", "A=b=c",
                 "IgnoreUnknown=1;", ";", "=", "K8S_POD_NAME"):
        add_with_args(world, text).ok(repr(text))


@case("M46", "a valid call with stderr closed succeeds")
def m46(world):
    env = world.environment("ADD", netns=world.sandbox())
    read, write = os.pipe()
    data_read, data_write = os.pipe()
    os.write(data_write, json.dumps(world.conf()).encode())
    os.close(data_write)
    pid = os.posix_spawn(
        str(world.bin / "linsey"), ["linsey"], env,
        file_actions=[(os.POSIX_SPAWN_DUP2, data_read, 0),
                      (os.POSIX_SPAWN_DUP2, write, 1),
                      (os.POSIX_SPAWN_CLOSE, 2)])
    for fd in (write, data_read):
        os.close(fd)
    with os.fdopen(read) as out:
        text = out.read()
    _, status = os.waitpid(pid, 0)
    expect_equal(os.waitstatus_to_exitcode(status), 0, text)
    expect(json.loads(text)["ips"], text)
