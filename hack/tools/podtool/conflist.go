package main

import (
	"encoding/json"
	"net/netip"
)

type hostLocalRange struct {
	Subnet string `json:"subnet"`
}

// conflist is the CNI configuration for pods with one address of each range. Traffic is not masqueraded: every host of a
// test network has routes to the pods.
func conflist(bridge string, podCIDRs []netip.Prefix) []byte {
	ranges := make([][]hostLocalRange, len(podCIDRs))
	for i, cidr := range podCIDRs {
		ranges[i] = []hostLocalRange{{Subnet: cidr.String()}}
	}
	text, err := json.MarshalIndent(map[string]any{
		"cniVersion": "1.0.0",
		"name":       "bridge-cni",
		"plugins": []any{map[string]any{
			"type":             "bridge",
			"bridge":           bridge,
			"isDefaultGateway": true,
			"hairpinMode":      true,
			"ipam":             map[string]any{"type": "host-local", "ranges": ranges},
		}},
	}, "", "  ")
	if err != nil {
		panic(err) // strings and maps always have a JSON form
	}
	return append(text, '\n')
}
