// A kube-apiserver for the contract suite, as its own module builds it:
// nothing is added to what Kubernetes ships but this file.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
