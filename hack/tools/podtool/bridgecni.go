package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// bridgeCNI gives pods addresses from their own Node's podCIDRs (bridge and host-local plug-ins) and routes those of the
// other Nodes through the Nodes' addresses. It follows the Nodes, as a CNI does that leaves the assignment of ranges to
// Kubernetes.
func bridgeCNI(args []string) error {
	set := flags("bridge-cni")
	node := set.String("node", os.Getenv("NODE_NAME"), "the Node this runs on")
	conf := set.String("conf", "/etc/cni/net.d/10-bridge.conflist", "CNI configuration to write")
	bridge := set.String("bridge", "cni0", "name of the bridge that pods hang on")
	every := set.Duration("every", time.Second, "how often the Nodes are read")
	api := apiFlags(set)
	_ = set.Parse(args)
	if *node == "" {
		return errors.New("say which Node this is: -node or NODE_NAME")
	}
	client, err := api.client()
	if err != nil {
		return err
	}
	term, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	daemon := &bridgeDaemon{node: *node, conf: *conf, bridge: *bridge, nodes: client.nodes, log: newChangeLog()}
	ticker := time.NewTicker(*every)
	defer ticker.Stop()
	for {
		daemon.log.say("pass", daemon.pass(term))
		select {
		case <-term.Done():
			return nil
		case <-ticker.C:
		}
	}
}

type bridgeDaemon struct {
	node, conf, bridge string
	nodes              func(context.Context) ([]clusterNode, error)
	log                *changeLog
}

// pass makes the configuration file and the routes what the Nodes ask for now.
func (d *bridgeDaemon) pass(ctx context.Context) error {
	nodes, err := d.nodes(ctx)
	if err != nil {
		return fmt.Errorf("reading the Nodes: %w", err)
	}
	at := slices.IndexFunc(nodes, func(n clusterNode) bool { return n.name == d.node })
	if at < 0 || len(nodes[at].podCIDRs) == 0 {
		return fmt.Errorf("Node %s has no podCIDRs yet", d.node)
	}
	wanted, unreachable := wantedRoutes(nodes, d.node)
	d.log.say("routes left out", unreachable)
	if err := applyRoutes(wanted); err != nil {
		return err
	}
	return d.writeConf(conflist(d.bridge, nodes[at].podCIDRs))
}

func (d *bridgeDaemon) writeConf(text []byte) error {
	if old, err := os.ReadFile(d.conf); err == nil && slices.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.conf), 0o755); err != nil {
		return err
	}
	partial := d.conf + ".partial"
	if err := os.WriteFile(partial, text, 0o644); err != nil {
		return err
	}
	fmt.Printf("%s wrote %s: %s\n", stamp(time.Now()), d.conf, text)
	return os.Rename(partial, d.conf)
}

// route is one other Node's pods by way of that Node.
type route struct {
	to  netip.Prefix
	via netip.Addr
}

// wantedRoutes leaves out the podCIDRs of a family that their Node or this one has no address of, and tells which.
func wantedRoutes(nodes []clusterNode, self string) ([]route, error) {
	var wanted []route
	var unreachable error
	own := slices.IndexFunc(nodes, func(n clusterNode) bool { return n.name == self })
	for _, node := range nodes {
		if node.name == self {
			continue
		}
		for _, cidr := range node.podCIDRs {
			at := slices.IndexFunc(node.addresses, isOfFamily(cidr))
			if at < 0 {
				unreachable = errors.Join(unreachable, fmt.Errorf("%s of Node %s: it has no InternalIP of that family", cidr, node.name))
				continue
			}
			if own >= 0 && !hasFamily(nodes[own], cidr) {
				unreachable = errors.Join(unreachable, fmt.Errorf("%s of Node %s: this Node has no InternalIP of that family", cidr, node.name))
				continue
			}
			wanted = append(wanted, route{to: cidr, via: node.addresses[at]})
		}
	}
	return wanted, unreachable
}

func isOfFamily(cidr netip.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return a.Is4() == cidr.Addr().Is4() }
}

func hasFamily(node clusterNode, cidr netip.Prefix) bool {
	return slices.ContainsFunc(node.addresses, isOfFamily(cidr))
}

// changeLog prints what differs from the last time only: a daemon that works every second would drown its log.
type changeLog struct{ last map[string]string }

func newChangeLog() *changeLog { return &changeLog{last: map[string]string{}} }

func (l *changeLog) say(subject string, err error) {
	text := "fine"
	if err != nil {
		text = err.Error()
	}
	if l.last[subject] != text {
		fmt.Printf("%s %s: %s\n", stamp(time.Now()), subject, text)
	}
	l.last[subject] = text
}
