// Flanneld from the packages of the flannel project, with the backends vxlan and host-gw, and Kubernetes as the only
// source of ranges. Flannel's own main imports the clients of clouds too, of which one can be had from no Go module proxy.
// Flags and their defaults are those of flannel, so that its released manifest runs unchanged.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw" // backends register themselves
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
	"github.com/flannel-io/flannel/pkg/version"
	"k8s.io/klog/v2"
)

type options struct {
	version, kubeSubnetMgr, ipMasq, noRandom, forwardRules, setAvailable bool
	apiURL, kubeconfig, annotations, netConf, subnetFile                 string
	iface, publicIP, publicIPv6                                          string
	resyncSeconds                                                        int
}

func main() {
	o := parse(flag.CommandLine, os.Args[1:])
	if o.version {
		fmt.Println(version.Version)
		return
	}
	if !o.kubeSubnetMgr {
		klog.Exit("this build knows Kubernetes as the only subnet manager: start it with --kube-subnet-mgr")
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	var workers sync.WaitGroup
	err := run(ctx, o, &workers)
	cancel()
	workers.Wait()
	if err != nil {
		klog.Exit(err)
	}
}

func parse(set *flag.FlagSet, args []string) options {
	var o options
	klog.InitFlags(set)
	set.BoolVar(&o.version, "version", false, "print the version and exit")
	set.BoolVar(&o.kubeSubnetMgr, "kube-subnet-mgr", false, "take ranges from the Nodes' podCIDRs")
	set.BoolVar(&o.ipMasq, "ip-masq", false, "masquerade what leaves the pod network")
	set.BoolVar(&o.noRandom, "ip-masq-fully-random-disable", false, "masquerade without fully random ports")
	set.BoolVar(&o.forwardRules, "iptables-forward-rules", true, "accept forwarded packets of the pod network")
	set.BoolVar(&o.setAvailable, "set-node-network-unavailable", true, "clear the Node's NetworkUnavailable condition")
	set.StringVar(&o.apiURL, "kube-api-url", "", "URL of the API server; not needed in a pod")
	set.StringVar(&o.kubeconfig, "kubeconfig-file", "", "kubeconfig; not needed in a pod")
	set.StringVar(&o.annotations, "kube-annotation-prefix", "flannel.alpha.coreos.com", "prefix of the annotations on Nodes")
	set.StringVar(&o.netConf, "net-config-path", "/etc/kube-flannel/net-conf.json", "network configuration")
	set.StringVar(&o.subnetFile, "subnet-file", "/run/flannel/subnet.env", "file that the CNI plug-in reads")
	set.StringVar(&o.iface, "iface", "", "interface to the other nodes, by name or address")
	set.StringVar(&o.publicIP, "public-ip", "", "IPv4 address that other nodes reach this one by")
	set.StringVar(&o.publicIPv6, "public-ipv6", "", "IPv6 address that other nodes reach this one by")
	set.IntVar(&o.resyncSeconds, "iptables-resync", 5, "seconds between renewals of the rules")
	_ = set.Parse(args)
	return o
}

func run(ctx context.Context, o options, workers *sync.WaitGroup) error {
	manager, err := kube.NewSubnetManager(ctx, o.apiURL, o.kubeconfig, o.annotations, o.netConf, o.setAvailable)
	if err != nil {
		return fmt.Errorf("creating the subnet manager: %w", err)
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("reading %s: %w", o.netConf, err)
	}
	if err := requireBridgeFilter(config); err != nil {
		return err
	}
	network, err := register(ctx, o, manager, config, workers)
	if err != nil {
		return err
	}
	if err := setUpRules(ctx, o, config, network.Lease()); err != nil {
		return err
	}
	lease := network.Lease()
	err = manager.HandleSubnetFile(o.subnetFile, config, o.ipMasq, lease.Subnet, lease.IPv6Subnet, network.MTU())
	if err != nil {
		return fmt.Errorf("writing %s: %w", o.subnetFile, err)
	}
	klog.Infof("running: backend %s, subnets %s %s", config.BackendType, lease.Subnet, lease.IPv6Subnet)
	workers.Go(func() { network.Run(ctx) })
	if err := manager.CompleteLease(ctx, lease, workers); err != nil {
		return fmt.Errorf("completing the lease: %w", err)
	}
	<-ctx.Done()
	return nil
}

// requireBridgeFilter: without br_netfilter, iptables sees no packet between pods of one node, and Services fail silently.
func requireBridgeFilter(config *subnet.Config) error {
	if config.EnableNFTables {
		return nil
	}
	if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
		return fmt.Errorf("load the kernel module br_netfilter or set EnableNFTables: %w", err)
	}
	return nil
}

func register(ctx context.Context, o options, manager subnet.Manager, config *subnet.Config, workers *sync.WaitGroup) (backend.Network, error) {
	families, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return nil, err
	}
	public := ipmatch.PublicIPOpts{PublicIP: o.publicIP, PublicIPv6: o.publicIPv6}
	if v4, v6 := manager.GetStoredPublicIP(ctx); v4 != "" || v6 != "" {
		public = ipmatch.PublicIPOpts{PublicIP: cmp.Or(v4, public.PublicIP), PublicIPv6: cmp.Or(v6, public.PublicIPv6)}
	}
	name := cmp.Or(o.iface, public.PublicIP, public.PublicIPv6)
	external, err := ipmatch.LookupExtIface(name, "", "", families, public)
	if err != nil {
		return nil, fmt.Errorf("finding the interface to the other nodes: %w", err)
	}
	implementation, err := backend.NewManager(ctx, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return nil, fmt.Errorf("backend %s (this build has vxlan and host-gw): %w", config.BackendType, err)
	}
	network, err := implementation.RegisterNetwork(ctx, workers, config)
	if err != nil {
		return nil, fmt.Errorf("registering the network: %w", err)
	}
	return network, nil
}

// setUpRules also clears what the other kind of rules left behind, when the configuration has changed since the last start.
func setUpRules(ctx context.Context, o options, config *subnet.Config, own *lease.Lease) error {
	var wanted, other trafficmngr.TrafficManager = &iptables.IPTablesManager{}, &nftables.NFTablesManager{}
	if config.EnableNFTables {
		wanted, other = other, wanted
	}
	if err := other.CleanUp(ctx); err != nil {
		klog.Warningf("the other kind of rules is left as it is: %v", err)
	}
	if err := wanted.Init(ctx); err != nil {
		return fmt.Errorf("preparing packet filter rules: %w", err)
	}
	if o.ipMasq {
		old := readSubnetFile(o.subnetFile)
		err := wanted.SetupAndEnsureMasqRules(ctx,
			config.Network, old.subnet, old.network,
			config.IPv6Network, old.subnetIPv6, old.networkIPv6,
			own, o.resyncSeconds, o.noRandom)
		if err != nil {
			return fmt.Errorf("setting up masquerading: %w", err)
		}
	}
	if o.forwardRules {
		wanted.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, o.resyncSeconds)
	}
	return nil
}
