#!/usr/bin/env python3
"""Renders our overlays: the part of kustomize that they use, no more.

usage: render.py OVERLAY_DIRECTORY

resources, configMapGenerator with files, JSON patches with a target, merge
patches that say `$patch: delete`. An object that no patch touches keeps its
text, comments and all. Anything else in a kustomization is an error.
"""

import copy
import json
import pathlib
import sys

import yaml

KNOWN = {"apiVersion", "kind", "metadata", "resources", "patches", "namespace",
         "configMapGenerator", "generatorOptions"}


class Object:
    """One object and its text."""

    def __init__(self, text: str):
        self.text = text.strip("\n")
        self.body = yaml.safe_load(text)

    @property
    def key(self) -> tuple[str, str]:
        return self.body["kind"], self.body["metadata"]["name"]

    def changed(self, body: dict) -> None:
        self.body = body
        self.text = yaml.safe_dump(body, sort_keys=False, width=100).strip("\n")


def documents(path: pathlib.Path) -> list[Object]:
    parts = ("\n" + path.read_text()).split("\n---\n")
    return [Object(part) for part in parts if yaml.safe_load(part)]


def apply_operation(body: dict, operation: dict) -> None:
    steps = [one.replace("~1", "/").replace("~0", "~")
             for one in operation["path"].split("/")[1:]]
    at = body
    for step in steps[:-1]:
        at = at[int(step)] if isinstance(at, list) else at[step]
    last = steps[-1]
    verb = operation["op"]
    if isinstance(at, list):
        if verb == "add" and last == "-":
            at.append(operation["value"])
        elif verb == "add":
            at.insert(int(last), operation["value"])
        elif verb == "replace":
            at[int(last)] = operation["value"]
        else:
            del at[int(last)]
    elif verb in ("add", "replace"):
        if verb == "replace" and last not in at:
            raise SystemExit(f"replace: there is no {operation['path']}")
        at[last] = operation["value"]
    elif verb == "remove":
        del at[last]
    else:
        raise SystemExit(f"operation {verb} is not supported")


def apply_patch(objects: list[Object], patch: dict) -> list[Object]:
    content = yaml.safe_load(patch["patch"])
    if isinstance(content, dict):
        key = content["kind"], content["metadata"]["name"]
        if content.get("$patch") != "delete":
            raise SystemExit(f"merge patch of {key} is not supported")
        left = [one for one in objects if one.key != key]
        if len(left) == len(objects):
            raise SystemExit(f"nothing to delete: {key}")
        return left
    target = patch["target"]["kind"], patch["target"]["name"]
    found = [one for one in objects if one.key == target]
    if len(found) != 1:
        raise SystemExit(f"patch target {target}: {len(found)} objects")
    body = copy.deepcopy(found[0].body)
    for operation in content:
        apply_operation(body, operation)
    found[0].changed(body)
    return objects


def generated(directory: pathlib.Path, spec: dict, namespace: str) -> Object:
    metadata: dict = {"name": spec["name"], "namespace": namespace}
    labels = spec.get("options", {}).get("labels")
    if labels:
        metadata["labels"] = labels
    data = {name: (directory / name).read_text() for name in spec["files"]}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    made = Object(json.dumps(body))
    made.changed(body)
    return made


def build(directory: pathlib.Path) -> list[Object]:
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    unknown = set(kustomization) - KNOWN
    if unknown:
        raise SystemExit(f"{directory}: {sorted(unknown)} not supported")
    objects: list[Object] = []
    for resource in kustomization.get("resources", []):
        path = (directory / resource).resolve()
        objects += build(path) if path.is_dir() else documents(path)
    for spec in kustomization.get("configMapGenerator", []):
        objects.append(generated(directory, spec, kustomization["namespace"]))
    for patch in kustomization.get("patches", []):
        objects = apply_patch(objects, patch)
    keys = [one.key for one in objects]
    twice = {key for key in keys if keys.count(key) > 1}
    if any(kind not in ("Role", "RoleBinding") for kind, _ in twice):
        raise SystemExit(f"{directory}: twice: {sorted(twice)}")
    return objects


def rendered(directory: pathlib.Path) -> str:
    head = (f"# Rendered from install/overlays/{directory.name}; do not edit, run\n"
            "# ./dev manifests.\n")
    return head + "---\n" + "\n---\n".join(one.text for one in build(directory)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rendered(pathlib.Path(sys.argv[1])))
