package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

func lookUp(args []string) error {
	set := flags("dns")
	timeout := set.Duration("timeout", 3*time.Second, "for the whole look-up")
	_ = set.Parse(args)
	if set.NArg() != 3 {
		return errors.New("give a name, a type and a server")
	}
	network, known := map[string]string{"A": "ip4", "AAAA": "ip6"}[set.Arg(1)]
	if !known {
		return fmt.Errorf("type %s: ask for A or AAAA", set.Arg(1))
	}
	server := net.JoinHostPort(set.Arg(2), "53")
	resolver := &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, transport, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, transport, server)
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	// The final dot keeps the search list of the pod's resolv.conf out of it.
	addresses, err := resolver.LookupNetIP(ctx, network, strings.TrimSuffix(set.Arg(0), ".")+".")
	if err != nil {
		return err
	}
	for _, address := range addresses {
		fmt.Println(address.Unmap())
	}
	return nil
}
