"""I1-I16: the guarantees of an address manager, held by the agent's ledger.

The list was written for host-local; where it speaks of ranges of a network
configuration, Linsey's are the node's blocks in the agent's configuration.
"""

import contextlib
import json
import os
import pathlib
import subprocess

import kernel
from case import case, expect, expect_equal
from main_plugin import host_interface, pod_ips

V4_PREFIX = "10.77.0."


@contextlib.contextmanager
def agent_of(world, **options):
    """Another agent in the place of the usual one, for one case."""
    usual = world.agent
    usual.stop()
    world.agent = world.new_agent(**options)
    try:
        world.agent.start()
        yield world.agent
        if world.agent.process is not None:
            world.call("GC", conf=world.conf(
                "1.1.0", **{"cni.dev/attachments": []})).silent("GC")
    finally:
        world.agent.stop()
        world.agent = usual
        usual.start()


def add(world, **how):
    """An ADD into a sandbox of its own: netns, container id, addresses."""
    netns, cid = world.sandbox(), world.cid()
    result = world.add(netns, cid=cid, **how)
    return netns, cid, pod_ips(result)


def ask(world, *ips):
    return world.conf(runtimeConfig={"ips": list(ips)})


@case("I1", "a pod gets one address of each family, out of the node's blocks")
def i1(world):
    result = world.add(world.sandbox())
    expect_equal([ip["address"].split("/")[1] for ip in result["ips"]],
                 ["32", "128"])
    v4, v6 = pod_ips(result)
    expect(v4.startswith(V4_PREFIX) and v6.startswith("fd77::"), result["ips"])
    expect_equal([r["dst"] for r in result["routes"]], ["0.0.0.0/0", "::/0"])


@case("I2", "0.2.0 can say one address of each family")
def i2(world):
    result = world.add(world.sandbox(), "0.2.0")
    expect("ip4" in result and "ip6" in result, result)
    # Two of a family cannot even be asked for.
    world.refuse("ADD", 7, netns=world.sandbox(), cid="c2",
                 conf=ask(world, "10.77.0.8", "10.77.0.9"))


@case("I3", "a released address is the last one to be given again")
def i3(world):
    with agent_of(world, blocks=["10.77.0.0/30"]):
        given = []
        for _ in range(6):
            netns, cid, ips = add(world)
            given += ips
            world.delete(netns, cid=cid)
        expect_equal(len(set(given[:4])), 4, "the whole block is used")
        expect_equal(given[4:], given[:2], "then it begins anew")


@case("I4", "a full block refuses, and gives what was released")
def i4(world):
    with agent_of(world, blocks=["10.77.0.0/29"]):
        pods = [add(world) for _ in range(8)]
        expect_equal(len({ips[0] for _, _, ips in pods}), 8, "distinct")
        world.refuse("ADD", 11, netns=world.sandbox(), cid="c9")
        netns, cid, ips = pods[3]
        world.delete(netns, cid=cid)
        expect_equal(add(world)[2], ips, "the released one")


@case("I5", "the gateway is no block's address; first and last address work")
def i5(world):
    # No interface carries a block's prefix, so none of its addresses is a
    # network or broadcast address; each must reach its pod.
    with agent_of(world, blocks=["10.77.0.0/31"]):
        for _ in range(2):
            netns, _, ips = add(world)
            expect(ips[0] != "169.254.1.1", ips)
            expect(kernel.tcp(ips[0], server_netns=netns), ips)


@case("I6", "an address is given on request: CNI_ARGS, runtimeConfig, args.cni")
def i6(world):
    for n, suffix in enumerate(("", "/24")):
        for m, how in enumerate((
                lambda ip: {"CNI_ARGS": f"IgnoreUnknown=1;IP={ip}"},
                lambda ip: {"conf": ask(world, ip)},
                lambda ip: {"conf": world.conf(args={"cni": {"ips": [ip]}})})):
            wanted = f"{V4_PREFIX}{100 + 10 * n + m}"
            _, _, ips = add(world, **how(wanted + suffix))
            expect_equal(ips[0], wanted, how(wanted))
    _, _, ips = add(world, conf=ask(world, "10.77.0.150", "fd77::15"))
    expect_equal(ips, ["10.77.0.150", "fd77::15"], "both families")


@case("I7", "a request that cannot be met keeps nothing")
def i7(world):
    _, _, taken = add(world)
    for what, ips in (("taken", taken[:1]), ("gateway", ["169.254.1.1"]),
                      ("outside", ["10.99.0.1"]), ("not of a block", ["fe80::1"]),
                      ("two of a family", ["10.77.0.8", "10.77.0.9"]),
                      ("one good, one taken", ["10.77.0.200", taken[1]])):
        world.refuse("ADD", netns=world.sandbox(), cid="c2",
                     conf=ask(world, *ips), what=what)
    expect_equal(add(world, conf=ask(world, "10.77.0.200"))[2][0],
                 "10.77.0.200", "still free")


@case("I8", "ipRanges is no capability of ours; blocks decide",
      inapplicable="ranges come from the node's blocks, else two nodes could "
                   "give one address; shown: the key changes nothing")
def i8(world):
    ranges = [[{"subnet": "10.99.0.0/24", "rangeStart": "10.99.0.7"}]]
    _, _, ips = add(world, conf=world.conf(runtimeConfig={"ipRanges": ranges}))
    expect(ips[0].startswith(V4_PREFIX), ips)


BAD_BLOCKS = {
    "host bits": ["10.77.0.1/24"], "no network": ["10.77.0.0"],
    "garbage": ["x"], "prefix too long": ["10.77.0.0/33"],
    "outside its pool": ["10.99.0.0/24"], "twice": ["10.77.0.0/24"] * 2,
    "overlap": ["10.77.0.0/24", "10.77.0.128/25"], "a number": [5],
    "empty": [""], "mixed up": ["10.77.0.0/24", "fd77::1/120"]}


@case("I9", "blocks that make no sense are refused and leave no state")
def i9(world):
    for what, blocks in BAD_BLOCKS.items():
        agent = world.new_agent(blocks=blocks)
        for words in (["--check"], []):
            done = subprocess.run(
                [agent.linseyd, "--config", str(agent.home / "agent.json"),
                 *words], capture_output=True, text=True, timeout=20,
                check=False)
            expect(done.returncode != 0, f"{what}: accepted")
            expect("/blocks/assignments/n1" in done.stderr,
                   f"{what}: no pointer in {done.stderr}")
        expect(not (agent.home / "state/ledger.db").exists(), f"{what}: state")


@case("I10", "CHECK knows whether there is a reservation")
def i10(world):
    netns = world.sandbox()
    result = world.add(netns)
    world.check(netns, result).silent("held")
    world.check(netns, result, cid="other").error(what="not held")


@case("I11", "DEL of the unknown, twice, and without a state directory")
def i11(world):
    for _ in range(2):
        world.delete("", cid="unknown")
    with agent_of(world) as agent:
        agent.stop()
        subprocess.run(["rm", "-rf", str(agent.home / "state")], check=True)
        agent.start()
        world.delete("", cid="unknown")


@case("I12", "DEL with a configuration that has become invalid releases")
def i12(world):
    netns, cid, _ = add(world)
    world.delete(netns, cid=cid, conf=world.conf(
        ipam={"type": 7, "ranges": "none"}, mtu=-1,
        runtimeConfig={"ipRanges": 5, "ips": [None]}))
    world.nothing_left()


@case("I13", "DEL of one network leaves the same container's other one")
def i13(world):
    netns = world.sandbox()
    other = world.conf(name="othernet")
    first = world.add(netns)
    second = world.add(netns, ifname="net1", conf=other)
    world.delete(netns)
    world.check(netns, second, ifname="net1", conf=other).silent("othernet")
    expect_equal(kernel.pod_links(), [host_interface(second)["name"]])
    expect(first != second, "two attachments")
    world.call("GC", conf=other | {"cniVersion": "1.1.0",
                                   "cni.dev/attachments": []}).silent("GC")


def damage(path, how):
    data = path.read_bytes()
    return {"empty": b"", "garbage": os.urandom(8192),
            "truncated": data[:len(data) // 2]}[how]


@case("I14", "a damaged state file crashes nothing and loses no address")
def i14(world):
    for how in ("empty", "garbage", "truncated"):
        with agent_of(world, blocks=["10.77.0.0/30"]) as agent:
            netns, cid, ips = add(world)
            agent.stop(9)
            for extra in ("ledger.db-wal", "ledger.db-shm"):
                (agent.home / "state" / extra).unlink(missing_ok=True)
            ledger = agent.home / "state/ledger.db"
            ledger.write_bytes(damage(ledger, how))
            agent.start()
            others = [add(world) for _ in range(3)]
            given = {one[2][0] for one in others}
            expect(ips[0] not in given, f"{how}: given twice: {ips[0]}")
            world.refuse("ADD", netns=world.sandbox(), cid="c9", what=how)
            world.delete(netns, cid=cid)
            expect_equal(add(world)[2], ips, f"{how}: the lost one")


@case("I15", "more parallel ADDs than addresses: all distinct, the rest refused")
def i15(world):
    with agent_of(world, blocks=["10.77.0.0/26"]):
        processes = []
        for _ in range(69):
            processes.append(world.start("ADD", netns=world.sandbox(),
                                         cid=world.cid()))
        done = [world.finish(process) for process in processes]
        given = [one.json["ips"][0]["address"] for one in done if one.code == 0]
        refused = [one for one in done if one.code != 0]
        expect_equal(len(given), 64, "given")
        expect_equal(len(set(given)), 64, "distinct")
        for one in refused:
            one.error(11)
        expect_equal(len(refused), 5, "refused")


def mount_small(directory):
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small",
                    str(directory)], check=True)


@case("I16", "on a full disk ADD fails, what is held stays, DEL still works")
def i16(world):
    usual = world.agent
    usual.stop()
    world.agent = agent = world.new_agent()
    state = pathlib.Path(agent.home) / "state"
    mount_small(state)
    try:
        agent.start()
        netns, cid = world.sandbox(), world.cid()
        result = world.add(netns, cid=cid)
        with open(state / "ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass
        refused = []
        for _ in range(30):  # the log may have room for a few more
            other = world.call("ADD", netns=world.sandbox(), cid=world.cid())
            if other.code != 0:
                refused.append(other.error(what="full disk"))
        expect(refused, "every ADD succeeded on a full disk")
        expect("DiskFull" in json.dumps(refused[-1]), refused[-1])
        world.check(netns, result, cid=cid).silent("the earlier one")
        world.delete(netns, cid=cid)
        (state / "ballast").unlink()
        world.call("GC", conf=world.conf(
            "1.1.0", **{"cni.dev/attachments": []})).silent("GC")
        world.nothing_left()
    finally:
        agent.stop()
        subprocess.run(["umount", str(state)], check=True)
        world.agent = usual
        usual.start()
