package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routeProtocol marks the routes of this daemon in the kernel's table, so that it takes back its own and nobody else's.
const routeProtocol = 68

// applyRoutes makes the marked routes of the main table those that are wanted.
func applyRoutes(wanted []route) error {
	mark := &netlink.Route{Table: unix.RT_TABLE_MAIN, Protocol: routeProtocol}
	present, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, mark, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return fmt.Errorf("listing routes: %w", err)
	}
	missing := map[route]bool{}
	for _, w := range wanted {
		missing[w] = true
	}
	var failed error
	for _, old := range present {
		if have, ok := toRoute(old); ok && missing[have] {
			delete(missing, have)
			continue
		}
		if err := netlink.RouteDel(&old); err != nil {
			failed = errors.Join(failed, fmt.Errorf("removing the route %s: %w", old, err))
		}
	}
	for w := range missing {
		if err := netlink.RouteReplace(toNetlink(w)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("adding the route to %s via %s: %w", w.to, w.via, err))
		}
	}
	return failed
}

func toRoute(r netlink.Route) (route, bool) {
	if r.Dst == nil {
		return route{}, false
	}
	address, okAddress := netip.AddrFromSlice(r.Dst.IP)
	via, okVia := netip.AddrFromSlice(r.Gw)
	bits, _ := r.Dst.Mask.Size()
	return route{to: netip.PrefixFrom(address.Unmap(), bits), via: via.Unmap()}, okAddress && okVia
}

func toNetlink(w route) *netlink.Route {
	length := w.to.Addr().BitLen()
	return &netlink.Route{
		Dst:      &net.IPNet{IP: w.to.Addr().AsSlice(), Mask: net.CIDRMask(w.to.Bits(), length)},
		Gw:       w.via.AsSlice(),
		Table:    unix.RT_TABLE_MAIN,
		Protocol: routeProtocol,
	}
}
