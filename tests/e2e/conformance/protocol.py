"""P1-P42: the process contract, for both names of the binary."""

import json
import os
import subprocess
import time

import kernel
from case import case, expect, expect_equal
from world import VERSIONS

PLUGINS = ("linsey", "loopback")
OWN_NETNS = "/proc/self/ns/net"


def only(verb):
    """An environment that has nothing but the command."""
    return {"CNI_COMMAND": verb}


def version(world, plugin, stdin=b""):
    return world.call("VERSION", plugin=plugin, env=only("VERSION"),
                      stdin=stdin).ok("VERSION").json


def expect_all_versions(document):
    expect(document["cniVersion"], document)
    expect_equal(document["supportedVersions"], VERSIONS, "supportedVersions")


@case("P1", "VERSION with nothing else lists all seven versions")
def p1(world):
    for plugin in PLUGINS:
        expect_all_versions(version(world, plugin))


@case("P2", "VERSION with garbage on stdin answers all the same")
def p2(world):
    for plugin in PLUGINS:
        expect_all_versions(version(world, plugin, b"garbage"))


@case("P3", "VERSION echoes the version on stdin")
def p3(world):
    for plugin in PLUGINS:
        document = version(world, plugin, b'{"cniVersion":"0.4.0"}')
        expect_equal(document["cniVersion"], "0.4.0")


@case("P4", "VERSION answers within a second while stdin is held open")
def p4(world):
    for plugin in PLUGINS:
        began = time.monotonic()
        process = world.start("VERSION", plugin=plugin, env=only("VERSION"))
        document = json.loads(process.stdout.readline())
        took = time.monotonic() - began
        world.finish(process).ok()
        expect_all_versions(document)
        expect(took < 1, f"took {took:.2f} s")


@case("P5", "no CNI_COMMAND: exit 0, about text on stderr, no stdout")
def p5(world):
    for plugin in PLUGINS:
        done = world.call("", plugin=plugin, env={}, stdin=b"").silent()
        expect("linsey" in done.err and "1.1.0" in done.err, done.err)


@case("P6", "an unknown command is error 4 that names it")
def p6(world):
    for plugin in PLUGINS:
        document = world.refuse("NOPE", 4, plugin=plugin, netns=world.sandbox())
        expect("NOPE" in document["msg"], document)


@case("P7", "a command in lower case is unknown")
def p7(world):
    for plugin in PLUGINS:
        world.refuse("add", 4, plugin=plugin, netns=world.sandbox())


def names_missing(world, verb, wanted, unwanted=()):
    for plugin in PLUGINS:
        document = world.refuse(verb, 4, plugin=plugin, env=only(verb))
        for name in wanted:
            expect(f"CNI_{name}" in document["msg"], document)
        for name in unwanted:
            expect(f"CNI_{name}" not in document["msg"], document)


@case("P8", "ADD names all missing variables in one message")
def p8(world):
    names_missing(world, "ADD", ["CONTAINERID", "NETNS", "IFNAME"])


@case("P9", "DEL does not miss CNI_NETNS")
def p9(world):
    names_missing(world, "DEL", ["CONTAINERID", "IFNAME"], ["NETNS"])


@case("P10", "CHECK names all missing variables in one message")
def p10(world):
    names_missing(world, "CHECK", ["CONTAINERID", "NETNS", "IFNAME"])


@case("P11", "GC needs CNI_PATH")
def p11(world):
    names_missing(world, "GC", ["PATH"])


@case("P12", "STATUS does not need CNI_PATH")
def p12(world):
    for plugin in PLUGINS:
        world.call("STATUS", plugin=plugin, env=only("STATUS"),
                   conf=world.conf("1.1.0")).silent()


@case("P13", "ADD refuses container ids outside their alphabet")
def p13(world):
    for plugin in PLUGINS:
        for cid in ("-a", ".a", "_a", "a/b", "a b", "a\n", "%%", "é"):
            world.refuse("ADD", 4, plugin=plugin, netns=world.sandbox(),
                         cid=cid, what=repr(cid))


@case("P14", "ADD takes long and odd container ids")
def p14(world):
    for plugin in PLUGINS:
        for cid in ("A.b_c-9", "x" * 300):
            netns = world.sandbox()
            world.add(netns, plugin=plugin, cid=cid)
            world.delete(netns, plugin=plugin, cid=cid)
    world.nothing_left()


@case("P15", "ADD refuses names that no interface can have")
def p15(world):
    for plugin in PLUGINS:
        for ifname in ("0123456789abcdef", "é" * 8, ".", "..", "a/b", "a:b",
                       "a b", "a\tb"):
            world.refuse("ADD", 4, plugin=plugin, netns=world.sandbox(),
                         ifname=ifname, what=repr(ifname))


@case("P16", "ADD takes an interface name of 15 bytes")
def p16(world):
    for plugin in PLUGINS:
        world.add(world.sandbox(), plugin=plugin, cid=world.cid(),
                  ifname="0123456789abcde")


def refuse_conf(world, code, confs):
    for plugin in PLUGINS:
        for conf in confs:
            world.refuse("ADD", *code, plugin=plugin, netns=world.sandbox(),
                         conf=conf, what=str(conf)[:80])


@case("P17", "ADD needs a network name")
def p17(world):
    refuse_conf(world, [7], [world.conf(name=None), world.conf(name="")])


@case("P18", "ADD refuses network names outside their alphabet")
def p18(world):
    refuse_conf(world, [7],
                [world.conf(name=name) for name in ("-a", "a/b", "a b")])


@case("P19", "ADD takes a network name with a dot")
def p19(world):
    for plugin in PLUGINS:
        netns = world.sandbox()
        conf = world.conf(name="a.b")
        world.add(netns, plugin=plugin, conf=conf)
        world.delete(netns, plugin=plugin, conf=conf)


@case("P20", "ADD refuses a network name that is a number")
def p20(world):
    refuse_conf(world, [6], [world.conf(name=5)])


@case("P21", "ADD refuses what is no JSON object")
def p21(world):
    for plugin in PLUGINS:
        for stdin in (b"", b"{", b"[]", b"{}x"):
            world.refuse("ADD", 6, plugin=plugin, netns=world.sandbox(),
                         stdin=stdin, what=repr(stdin))


@case("P22", "ADD takes null for a configuration without a name")
def p22(world):
    for plugin in PLUGINS:
        world.refuse("ADD", 7, 6, plugin=plugin, netns=world.sandbox(),
                     stdin=b"null")


@case("P23", "ADD refuses versions that are not listed and names both sides")
def p23(world):
    for plugin in PLUGINS:
        for bad in ("1.2.0", "2.0.0", "0.3.2", "abc", "1.1", "v1.1.0"):
            document = world.refuse("ADD", 1, plugin=plugin,
                                    netns=world.sandbox(),
                                    conf=world.conf(bad), what=bad)
            expect(f'"{bad}"' in document["details"], document)
            expect('"1.1.0"' in document["details"], document)


@case("P24", "ADD refuses a cniVersion that is a number")
def p24(world):
    refuse_conf(world, [6], [world.conf(cniVersion=1)])


@case("P25", "ADD without a cniVersion answers in the form of 0.1.0")
def p25(world):
    for plugin in PLUGINS:
        for value in (None, ""):
            netns = world.sandbox()
            conf = world.conf(cniVersion=value)
            result = world.add(netns, plugin=plugin, conf=conf)
            expect("ip4" in result and "ips" not in result, result)
            expect_equal(result.get("cniVersion", "0.1.0"), "0.1.0")
            world.delete(netns, plugin=plugin, conf=conf)


def gate(world, verbs, versions, *codes):
    for plugin in PLUGINS:
        for verb in verbs:
            for one in versions:
                world.refuse(verb, *codes, plugin=plugin, netns=world.sandbox(),
                             conf=world.conf(one), what=f"{verb} {one}")


@case("P26", "CHECK does not exist below 0.4.0")
def p26(world):
    gate(world, ["CHECK"], VERSIONS[:4], 1)


@case("P27", "GC and STATUS do not exist below 1.1.0")
def p27(world):
    gate(world, ["GC", "STATUS"], ["0.4.0", "1.0.0"], 1)


@case("P28", "CHECK, GC and STATUS refuse what is no version")
def p28(world):
    gate(world, ["CHECK", "GC", "STATUS"], ["abc"], 6, 1)


@case("P29", "CHECK, GC and STATUS refuse a version that is too new")
def p29(world):
    gate(world, ["CHECK", "GC", "STATUS"], ["1.2.0"], 1)


@case("P30", "GC and STATUS work with the sandbox variables set empty")
def p30(world):
    for plugin in PLUGINS:
        for verb in ("GC", "STATUS"):
            world.call(verb, plugin=plugin, cid="", ifname="", netns="",
                       conf=world.conf("1.1.0")).silent(verb)


@case("P31", "every error object has cniVersion, numeric code and msg")
def p31(world):
    conf = world.conf("0.4.0", name="")
    for plugin in PLUGINS:
        for how in ({"env": only("ADD")}, {"conf": conf}, {"stdin": b"{"},
                    {"conf": world.conf("9.9.9")}, {"netns": "/nowhere"}):
            call = {"netns": world.sandbox(), **how}
            world.call("ADD", plugin=plugin, **call).error()
        document = world.call("ADD", plugin=plugin, netns=world.sandbox(),
                              conf=conf).error(7)
        expect_equal(document["cniVersion"], "0.4.0", "version of the error")


@case("P32", "ADD into the plugin's own namespace is error 8 and acts on nothing")
def p32(world):
    for plugin in PLUGINS:
        world.refuse("ADD", 8, plugin=plugin, netns=OWN_NETNS)


@case("P33", "CNI_NETNS_OVERRIDE lets ADD act on the own namespace")
def p33(world):
    for plugin in PLUGINS:
        for value in ("1", "true", "TRUE"):
            cid = world.cid()
            how = {"plugin": plugin, "netns": OWN_NETNS, "cid": cid,
                   "ifname": "ov0", "CNI_NETNS_OVERRIDE": value}
            world.add(**how)
            name = "lo" if plugin == "loopback" else "ov0"
            expect("UP" in kernel.link(name)["flags"], f"{name} is not up")
            if plugin == "linsey":
                world.delete(**how)
                expect(kernel.link("ov0") is None, "ov0 is still there")
    world.nothing_left()


@case("P34", "another value of CNI_NETNS_OVERRIDE is no override")
def p34(world):
    for plugin in PLUGINS:
        world.refuse("ADD", 8, plugin=plugin, netns=OWN_NETNS,
                     CNI_NETNS_OVERRIDE="yes")


@case("P35", "DEL with the plugin's own namespace leaves the host's links alone")
def p35(world):
    for plugin in PLUGINS:
        before = world.snapshot()
        for ifname in ("lo", "up0", "eth0"):
            world.delete(OWN_NETNS, plugin=plugin, ifname=ifname)
        expect_equal(world.snapshot(), before, "host namespace")


@case("P36", "ADD with a namespace path that is missing is error 8")
def p36(world):
    for plugin in PLUGINS:
        world.refuse("ADD", 8, plugin=plugin, netns="/run/netns/none")


@case("P37", "ADD with a namespace path that is a regular file is error 8")
def p37(world):
    path = world.home / "regular-file"
    path.write_text("")
    for plugin in PLUGINS:
        world.refuse("ADD", 8, plugin=plugin, netns=str(path))


@case("P38", "capabilities in the configuration are ignored")
def p38(world):
    conf = world.conf(capabilities={"portMappings": True, "bandwidth": True})
    for plugin in PLUGINS:
        world.add(world.sandbox(), plugin=plugin, cid=world.cid(), conf=conf)


@case("P39", "unknown keys, deep nesting and a megabyte of stdin are fine")
def p39(world):
    deep = {}
    for _ in range(100):
        deep = {"deeper": deep}
    conf = world.conf(novel=[1, None, {"x": True}], deep=deep,
                      large="x" * (1 << 20))
    for plugin in PLUGINS:
        world.add(world.sandbox(), plugin=plugin, cid=world.cid(), conf=conf)


@case("P40", "a closed stdin is an error within a second")
def p40(world):
    for plugin in PLUGINS:
        env = world.environment("ADD", netns=world.sandbox())
        began = time.monotonic()
        done = subprocess.run(
            [str(world.bin / plugin)], env=env, capture_output=True, text=True,
            preexec_fn=lambda: os.close(0), timeout=20, check=False)
        took = time.monotonic() - began
        expect(done.returncode != 0, done.stdout)
        expect(json.loads(done.stdout)["code"] in (5, 6), done.stdout)
        expect(took < 1, f"took {took:.2f} s")


def add_with_stdout(world, plugin, **how):
    env = world.environment("ADD", netns=world.sandbox(), cid=world.cid())
    return subprocess.run([str(world.bin / plugin)], env=env, check=False,
                          input=json.dumps(world.conf()).encode(),
                          stderr=subprocess.PIPE, timeout=20, **how)


@case("P41", "an ADD whose result cannot be printed fails and is undone")
def p41(world):
    for plugin in PLUGINS:
        with open("/dev/full", "wb") as full:
            done = add_with_stdout(world, plugin, stdout=full)
            expect(done.returncode != 0, "/dev/full was taken for success")
        done = add_with_stdout(world, plugin, preexec_fn=lambda: os.close(1))
        expect(done.returncode != 0, "closed stdout was taken for success")
    world.nothing_left()


@case("P42", "no failing call leaves a link, address, rule, file or reservation")
def p42(world):
    calls, world.refused = world.refused, []
    expect(calls, "P42 looks at the failing calls of the cases before it")
    before = world.snapshot()
    for verb, how in calls:
        if "/" not in str(how.get("netns", "")) and how.get("netns"):
            how = how | {"netns": world.sandbox()}
        world.call(verb, **how).error()
    for name in world.sandboxes:
        kernel.run_ip("netns", "del", name)
    world.sandboxes = []
    expect_equal(world.snapshot(), before, f"after {len(calls)} failing calls")
