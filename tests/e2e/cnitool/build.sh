#!/bin/sh
# usage: build.sh DIRECTORY   builds the CNI project's cnitool into DIRECTORY
# Exit 77, with the reason, where that cannot be: ctest shows it as skipped.
set -eu
VERSION=v1.3.0
[ -x "$1/cnitool-$VERSION" ] && exit 0
command -v go > /dev/null || { echo "no cnitool: there is no Go"; exit 77; }
mkdir -p "$1"
if ! GOBIN="$1" GOFLAGS=-p=1 go install \
    "github.com/containernetworking/cni/cnitool@$VERSION"; then
  echo "no cnitool: its modules cannot be fetched or built"
  exit 77
fi
mv "$1/cnitool" "$1/cnitool-$VERSION"
