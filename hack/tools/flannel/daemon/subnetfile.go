package main

import (
	"math/big"
	"net"
	"os"
	"strings"

	"github.com/flannel-io/flannel/pkg/ip"
)

// subnetFile is what the last start wrote; zero values where it wrote nothing.
type subnetFile struct {
	network, subnet         ip.IP4Net
	networkIPv6, subnetIPv6 ip.IP6Net
}

func readSubnetFile(path string) subnetFile {
	text, _ := os.ReadFile(path) // none before the first start
	values := map[string]*net.IPNet{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if _, cidr, err := net.ParseCIDR(value); err == nil {
			values[key] = cidr
		}
	}
	return subnetFile{
		network:     ipv4(values["FLANNEL_NETWORK"]),
		subnet:      ipv4(values["FLANNEL_SUBNET"]),
		networkIPv6: ipv6(values["FLANNEL_IPV6_NETWORK"]),
		subnetIPv6:  ipv6(values["FLANNEL_IPV6_SUBNET"]),
	}
}

func ipv4(cidr *net.IPNet) ip.IP4Net {
	if cidr == nil {
		return ip.IP4Net{}
	}
	return ip.FromIPNet(cidr)
}

func ipv6(cidr *net.IPNet) ip.IP6Net {
	if cidr == nil {
		return ip.IP6Net{IP: (*ip.IP6)(big.NewInt(0))}
	}
	return ip.FromIP6Net(cidr)
}
