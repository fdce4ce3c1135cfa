package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"
)

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// apiAccess is where the API server is and who asks. Its defaults are those of a pod with a service account; on a node
// itself the kubelet's certificate serves.
type apiAccess struct{ server, ca, token, cert, key string }

func apiFlags(set *flag.FlagSet) *apiAccess {
	a := &apiAccess{}
	inCluster := ""
	if host := os.Getenv("KUBERNETES_SERVICE_HOST"); host != "" {
		inCluster = "https://" + net.JoinHostPort(host, os.Getenv("KUBERNETES_SERVICE_PORT"))
	}
	set.StringVar(&a.server, "server", inCluster, "URL of the API server")
	set.StringVar(&a.ca, "ca", serviceAccount+"/ca.crt", "file with the CA of the API server")
	set.StringVar(&a.token, "token", serviceAccount+"/token", "file with a bearer token, read at each request; not used with -cert")
	set.StringVar(&a.cert, "cert", "", "file with a client certificate")
	set.StringVar(&a.key, "key", "", "file with its key (default: the same file)")
	return a
}

type apiClient struct {
	access *apiAccess
	http   *http.Client
}

func (a *apiAccess) client() (*apiClient, error) {
	if a.server == "" {
		return nil, fmt.Errorf("not in a pod: say where the API server is with -server")
	}
	pem, err := os.ReadFile(a.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", a.ca)
	}
	config := &tls.Config{RootCAs: roots}
	if a.cert != "" {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			key := a.key
			if key == "" {
				key = a.cert
			}
			pair, err := tls.LoadX509KeyPair(a.cert, key)
			return &pair, err
		}
	}
	return &apiClient{a, &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}}, nil
}

// clusterNode is what routing needs of a Node.
type clusterNode struct {
	name      string
	podCIDRs  []netip.Prefix
	addresses []netip.Addr // its InternalIPs, in its own order
}

type nodeList struct {
	Items []struct {
		Metadata struct{ Name string }
		Spec     struct{ PodCIDRs []netip.Prefix }
		Status   struct {
			Addresses []struct{ Type, Address string }
		}
	}
}

// nodes lists them from the API server's cache: fresh enough for a daemon that asks again at once, and cheap.
func (c *apiClient) nodes(ctx context.Context) ([]clusterNode, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.access.server+"/api/v1/nodes?resourceVersion=0", nil)
	if err != nil {
		return nil, err
	}
	if c.access.cert == "" {
		token, err := os.ReadFile(c.access.token)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, fmt.Errorf("GET nodes: status %d: %s", response.StatusCode, body)
	}
	var list nodeList
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		return nil, fmt.Errorf("GET nodes: %w", err)
	}
	return toNodes(list), nil
}

func toNodes(list nodeList) []clusterNode {
	var nodes []clusterNode
	for _, item := range list.Items {
		node := clusterNode{name: item.Metadata.Name, podCIDRs: item.Spec.PodCIDRs}
		for _, entry := range item.Status.Addresses {
			if address, err := netip.ParseAddr(entry.Address); err == nil && entry.Type == "InternalIP" {
				node.addresses = append(node.addresses, address)
			}
		}
		nodes = append(nodes, node)
	}
	return nodes
}
