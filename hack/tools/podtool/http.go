package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// answer tells who served a request, and both ends of its connection as the server sees them.
type answer struct {
	Host   string `json:"host"`
	Client string `json:"client"`
	Local  string `json:"local"`
}

func serve(args []string) error {
	set := flags("serve")
	drain := set.Duration("drain", 0, "go on serving for so long after SIGTERM, until proxies have heard of the end")
	_ = set.Parse(args)
	if set.NArg() != 1 {
		return errors.New("give one port")
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	// The wildcard without a family takes both where the node has IPv6, else IPv4 alone.
	server := &http.Server{Addr: ":" + set.Arg(0), Handler: describe(host), ReadHeaderTimeout: 10 * time.Second}
	return serveUntilTerm(server, *drain)
}

func describe(host string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		writeJSON(w, answer{Host: host, Client: r.RemoteAddr, Local: local.String()})
	})
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client went away: nobody left to tell
}

func serveUntilTerm(server *http.Server, drain time.Duration) error {
	term, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-term.Done():
	}
	time.Sleep(drain)
	patience, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	return server.Shutdown(patience)
}

// freshClient opens a connection for each request: one that is kept would not notice a changed route or service.
func freshClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
}

// request returns what a target answered with status 200; anything else is an error.
func request(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	return string(body), nil
}

func get(args []string) error {
	set := flags("get")
	timeout := set.Duration("timeout", 3*time.Second, "per request")
	_ = set.Parse(args)
	client := freshClient(*timeout)
	failed := 0
	for _, url := range set.Args() {
		started := time.Now()
		body, err := request(client, url)
		if err != nil {
			failed++
			fmt.Printf("%s failed after %d ms: %v\n", url, time.Since(started).Milliseconds(), err)
			continue
		}
		fmt.Printf("%s %d ms %s", url, time.Since(started).Milliseconds(), body)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d requests failed", failed, set.NArg())
	}
	return nil
}
