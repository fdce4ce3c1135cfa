// A cache of Nodes as the author of an operator in Go would write it: controller-runtime with a typed client and a transform that
// drops what takes most room. It says "synced N" once it has them all, and stays until it is stopped. With "watch" it also says
// "changed NAME" for each Node that is changed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func trim(object any) (any, error) {
	if node, ok := object.(*corev1.Node); ok {
		node.ManagedFields = nil
		node.Status.Images = nil
	}
	return object, nil
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 || (len(os.Args) == 3 && os.Args[2] != "watch") {
		fmt.Fprintln(os.Stderr, "usage: node-cache KUBECONFIG [watch]")
		os.Exit(2)
	}
	if err := run(os.Args[1], len(os.Args) == 3); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(kubeconfig string, watch bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme.Scheme,
		Metrics: metrics.Options{BindAddress: "0"},
		Cache:   cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.Node{}: {Transform: trim}}},
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	informer, err := manager.GetCache().GetInformer(ctx, &corev1.Node{})
	if err != nil {
		return err
	}
	if watch {
		told := toolscache.ResourceEventHandlerFuncs{UpdateFunc: func(_, now any) {
			fmt.Printf("changed %s\n", now.(*corev1.Node).Name)
		}}
		if _, err := informer.AddEventHandler(told); err != nil {
			return err
		}
	}
	if !manager.GetCache().WaitForCacheSync(ctx) || !informer.HasSynced() {
		return fmt.Errorf("stopped before the cache was filled")
	}
	// Counted without a copy of them all.
	var nodes corev1.NodeList
	if err := manager.GetClient().List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	fmt.Printf("synced %d\n", len(nodes.Items))
	return <-ended
}
