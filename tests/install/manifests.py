#!/usr/bin/env python3
"""Checks install/base/*.yaml against what they promise: structural schemas,
messages on all rules, columns, short names; no wildcard right; policies that
are bound and name accounts that exist.

usage: manifests.py DIRECTORY
"""

import glob
import os
import sys

import yaml

KINDS = {"IPPool": True, "IPBlock": False, "NodeNetwork": True}
faults = []


def check(holds, where, what):
    if not holds:
        faults.append(f"{where}: {what}")


def check_schema(schema, where):
    check("type" in schema, where, "has no type: not structural")
    kind = schema.get("type")
    check(kind != "string" or "maxLength" in schema or "enum" in schema or
          "format" in schema, where, "a string without a limit")
    check(kind != "array" or "maxItems" in schema, where,
          "a list without a limit")
    check("x-kubernetes-preserve-unknown-fields" not in schema, where,
          "keeps unknown fields")
    for rule in schema.get("x-kubernetes-validations", []):
        check(rule.get("message"), where, f"rule without message: {rule}")
        check("cidr(" not in rule["rule"] and "ip(" not in rule["rule"], where,
              "cidr() and ip() need a newer Kubernetes")
    for name, member in schema.get("properties", {}).items():
        check_schema(member, f"{where}.{name}")
    for name in schema.get("required", []):
        check(name in schema.get("properties", {}), where,
              f"requires {name}, which it does not describe")
    if "items" in schema:
        check_schema(schema["items"], where + "[]")


def check_definition(document, where):
    spec = document["spec"]
    names = spec["names"]
    kind = names["kind"]
    check(kind in KINDS, where, f"unknown kind {kind}")
    check(document["metadata"]["name"] == f"{names['plural']}.{spec['group']}",
          where, "name is not PLURAL.GROUP")
    check(spec["scope"] == "Cluster", where, "is not cluster-scoped")
    check(names.get("categories") == ["linsey"], where, "category linsey")
    check(names.get("shortNames"), where, "has no short name")
    stored = [v for v in spec["versions"] if v["storage"]]
    check(len(stored) == 1 and stored[0]["name"] == "v1", where, "stores v1")
    for version in spec["versions"]:
        check(("status" in version.get("subresources", {})) == KINDS[kind],
              where, "status subresource")
        check(version.get("additionalPrinterColumns"), where, "no columns")
        check_schema(version["schema"]["openAPIV3Schema"], where)


def check_rights(document, where):
    for rule in document["rules"]:
        for key in ("apiGroups", "resources", "verbs"):
            check(rule.get(key), where, f"a rule without {key}")
            check(not any("*" in one for one in rule.get(key, [])), where,
                  f"a wildcard among {key}")
        check("secrets" not in rule["resources"], where, "reads secrets")


def check_binding(document, where, named):
    ref = document["roleRef"]
    check((ref["kind"], ref["name"]) in named, where, f"no role {ref['name']}")
    for subject in document["subjects"]:
        check((subject["kind"], subject["name"]) in named, where,
              f"no account {subject['name']}")


def check_policies(documents):
    accounts = {f"system:serviceaccount:{d['metadata']['namespace']}:"
                f"{d['metadata']['name']}"
                for d in documents if d["kind"] == "ServiceAccount"}
    policies = {d["metadata"]["name"]: d["spec"] for d in documents
                if d["kind"] == "ValidatingAdmissionPolicy"}
    bound = {d["spec"]["policyName"] for d in documents
             if d["kind"] == "ValidatingAdmissionPolicyBinding"}
    check(set(policies) == bound, "policies", "not each is bound")
    for name, spec in policies.items():
        check(spec["failurePolicy"] == "Fail", name, "does not fail closed")
        for one in spec["validations"]:
            check(one.get("message") or one.get("messageExpression"), name,
                  "a refusal without words")
        for one in spec.get("matchConditions", []):
            check(any(a in one["expression"] for a in accounts), name,
                  "meant for no account there is")


def main():
    documents = []
    root = sys.argv[1]
    for path in sorted(glob.glob(os.path.join(root, "**/*.yaml"),
                                 recursive=True)):
        with open(path, encoding="utf-8") as file:
            documents += [d for d in yaml.safe_load_all(file) if d]
    named = {(d["kind"], d["metadata"]["name"]) for d in documents}
    for document in documents:
        kind = document["kind"]
        where = f"{kind} {document['metadata']['name']}"
        if kind == "CustomResourceDefinition":
            check_definition(document, where)
        elif kind in ("ClusterRole", "Role"):
            check_rights(document, where)
        elif kind in ("ClusterRoleBinding", "RoleBinding"):
            check_binding(document, where, named)
    check_policies(documents)
    defined = {d["spec"]["names"]["kind"] for d in documents
               if d["kind"] == "CustomResourceDefinition"}
    check(defined == set(KINDS), "definitions", f"are {sorted(defined)}")
    for fault in faults:
        print(fault)
    print(f"{len(documents)} objects, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
