package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const maxDatagram = 4096

var recordTypes = map[string]dnsmessage.Type{"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA}

// lookUp asks the one server it is told, past the hosts file and resolv.conf of the pod: it is the server that is tested.
func lookUp(args []string) error {
	set := flags("dns")
	timeout := set.Duration("timeout", 3*time.Second, "for the whole look-up")
	_ = set.Parse(args)
	if set.NArg() != 3 {
		return errors.New("give a name, a type and a server")
	}
	kind, known := recordTypes[set.Arg(1)]
	if !known {
		return fmt.Errorf("type %s: ask for A or AAAA", set.Arg(1))
	}
	name, err := dnsmessage.NewName(strings.TrimSuffix(set.Arg(0), ".") + ".")
	if err != nil {
		return err
	}
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(rand.N(1 << 16)), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: kind, Class: dnsmessage.ClassINET}},
	}
	response, err := ask(net.JoinHostPort(set.Arg(2), "53"), query, time.Now().Add(*timeout))
	if err != nil {
		return err
	}
	addresses := addressesOf(response)
	if response.RCode != dnsmessage.RCodeSuccess || len(addresses) == 0 {
		return fmt.Errorf("%s has no %s: %s, %d records", name, set.Arg(1), response.RCode, len(response.Answers))
	}
	for _, address := range addresses {
		fmt.Println(address)
	}
	return nil
}

// ask sends one datagram and does not repeat it: a lost one is a finding.
func ask(server string, query dnsmessage.Message, deadline time.Time) (dnsmessage.Message, error) {
	var response dnsmessage.Message
	packed, err := query.Pack()
	if err != nil {
		return response, err
	}
	connection, err := net.DialTimeout("udp", server, time.Until(deadline))
	if err != nil {
		return response, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(deadline); err != nil {
		return response, err
	}
	if _, err := connection.Write(packed); err != nil {
		return response, err
	}
	buffer := make([]byte, maxDatagram)
	for {
		length, err := connection.Read(buffer)
		if err != nil {
			return response, err
		}
		if err := response.Unpack(buffer[:length]); err != nil {
			return response, err
		}
		if response.ID == query.ID {
			return response, nil
		}
	}
}

func addressesOf(response dnsmessage.Message) []netip.Addr {
	var addresses []netip.Addr
	for _, answer := range response.Answers {
		switch body := answer.Body.(type) {
		case *dnsmessage.AResource:
			addresses = append(addresses, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			addresses = append(addresses, netip.AddrFrom16(body.AAAA))
		}
	}
	return addresses
}
