// Tells what Istio and Envoy Gateway take, with their own types: `schemas` writes the custom resource
// definitions of Envoy Gateway and the Gateway API; `istio` reads objects, a JSON text a line, and
// writes for each what is wrong with it, or an empty line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	gateway "github.com/envoyproxy/gateway"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	mesh "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1"
	security "istio.io/api/security/v1"
)

type object struct {
	ApiVersion string
	Kind       string
	Spec       json.RawMessage
}

var types = map[string]func() proto.Message{
	"MeshConfig":                               func() proto.Message { return &mesh.MeshConfig{} },
	"networking.istio.io/v1/ServiceEntry":      func() proto.Message { return &networking.ServiceEntry{} },
	"security.istio.io/v1/PeerAuthentication":  func() proto.Message { return &security.PeerAuthentication{} },
	"security.istio.io/v1/AuthorizationPolicy": func() proto.Message { return &security.AuthorizationPolicy{} },
}

func main() {
	if len(os.Args) != 2 {
		fail("usage: manifest-types schemas|istio")
	}
	switch os.Args[1] {
	case "schemas":
		os.Stdout.Write(gateway.GatewayCRDs)
	case "istio":
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			fmt.Println(complaint(lines.Bytes()))
		}
	default:
		fail("unknown command " + os.Args[1])
	}
}

func complaint(line []byte) string {
	var given object
	if err := json.Unmarshal(line, &given); err != nil {
		return err.Error()
	}
	name := strings.TrimPrefix(given.ApiVersion+"/"+given.Kind, "/")
	makeType, found := types[name]
	if !found {
		return "no type for " + name
	}
	if err := protojson.Unmarshal(given.Spec, makeType()); err != nil {
		return err.Error()
	}
	return ""
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(2)
}
