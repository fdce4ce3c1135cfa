package main

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestInvocation(t *testing.T) {
	for _, c := range []struct {
		argv []string
		name string
		args []string
	}{
		{[]string{"/podtool"}, "pause", nil},
		{[]string{"/pause"}, "pause", nil},
		{[]string{"/podtool", "serve", "80"}, "serve", []string{"80"}},
		{[]string{"cp", "-f", "a", "b"}, "cp", []string{"-f", "a", "b"}},
	} {
		if name, args := invocation(c.argv); name != c.name || !slices.Equal(args, c.args) {
			t.Errorf("%v: got %s %v", c.argv, name, args)
		}
	}
}

func TestSummaryOfFailures(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		pattern string // one request every 100 ms: + succeeded, - failed
		outage  int64
		failed  int
	}{
		"never":               {"+++++", 0, 0},
		"one lost":            {"++-++", 200, 1},
		"the longest counts":  {"+-+---+-+", 400, 5},
		"since the start":     {"--+++", 200, 2},
		"not over at the end": {"++---", 400, 3},
		"always":              {"---", 300, 3},
	} {
		t.Run(name, func(t *testing.T) {
			track := &track{}
			for i, sign := range c.pattern {
				var err error
				if sign == '-' {
					err = errors.New("refused")
				}
				track.record(start.Add(time.Duration(i)*100*time.Millisecond), err, false)
			}
			got := track.summary(start.Add(time.Duration(len(c.pattern)) * 100 * time.Millisecond))
			if got.LongestOutageMs != c.outage || got.Failed != c.failed || got.Sent != len(c.pattern) {
				t.Errorf("%s: got %+v", c.pattern, got)
			}
		})
	}
}

func TestAnswersOutOfOrder(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	track := &track{}
	track.record(start.Add(200*time.Millisecond), nil, false)
	track.record(start.Add(100*time.Millisecond), errors.New("timed out"), false) // known later than the success after it
	track.record(start, nil, false)
	if got := track.summary(start.Add(time.Second)); got.LongestOutageMs != 200 {
		t.Errorf("got %+v", got)
	}
}

func node(name, podCIDRs, addresses string) clusterNode {
	n := clusterNode{name: name}
	for _, cidr := range strings.Fields(podCIDRs) {
		n.podCIDRs = append(n.podCIDRs, netip.MustParsePrefix(cidr))
	}
	for _, address := range strings.Fields(addresses) {
		n.addresses = append(n.addresses, netip.MustParseAddr(address))
	}
	return n
}

func TestRoutesGoByTheAddressOfTheSameFamily(t *testing.T) {
	nodes := []clusterNode{
		node("self", "10.244.0.0/24 fd00::/64", "192.0.2.1 2001:db8::1"),
		node("dual", "10.244.1.0/24 fd00:0:0:1::/64", "2001:db8::2 192.0.2.2"),
		node("late", "10.244.2.0/24 fd00:0:0:2::/64", "192.0.2.3"),
		node("new", "", "192.0.2.4"),
	}
	routes, unreachable := wantedRoutes(nodes, "self")
	want := []route{
		{netip.MustParsePrefix("10.244.1.0/24"), netip.MustParseAddr("192.0.2.2")},
		{netip.MustParsePrefix("fd00:0:0:1::/64"), netip.MustParseAddr("2001:db8::2")},
		{netip.MustParsePrefix("10.244.2.0/24"), netip.MustParseAddr("192.0.2.3")},
	}
	if !slices.Equal(routes, want) {
		t.Errorf("got %v", routes)
	}
	if unreachable == nil || !strings.Contains(unreachable.Error(), "fd00:0:0:2::/64 of Node late") {
		t.Errorf("got %v", unreachable)
	}
}

func TestSilenceOfATargetWhosePacketsGetThroughLate(t *testing.T) {
	start := time.Now()
	track := &track{}
	for _, each := range []struct {
		at   int
		slow bool
	}{{0, false}, {300, true}, {100, false}, {1200, true}, {1300, false}, {1400, false}, {1700, true}} {
		track.record(start.Add(time.Duration(each.at)*time.Millisecond), nil, each.slow)
	}
	if got := track.summary(start); got.LongestSilenceMs != 1200 || got.Failed != 0 || got.Slow != 3 {
		t.Errorf("got %+v", got)
	}
	track.record(start.Add(9*time.Second), errors.New("timed out"), true)
	if got := track.summary(start).LongestSilenceMs; got != 7600 {
		t.Errorf("a silence that goes on: got %d", got)
	}
}

func TestRoutesOfAFamilyThatThisNodeLacks(t *testing.T) {
	nodes := []clusterNode{
		node("self", "10.244.0.0/24 fd00::/64", "192.0.2.1"),
		node("dual", "10.244.1.0/24 fd00:0:0:1::/64", "192.0.2.2 2001:db8::2"),
	}
	routes, unreachable := wantedRoutes(nodes, "self")
	want := []route{{netip.MustParsePrefix("10.244.1.0/24"), netip.MustParseAddr("192.0.2.2")}}
	if !slices.Equal(routes, want) {
		t.Errorf("got %v", routes)
	}
	if unreachable == nil || !strings.Contains(unreachable.Error(), "this Node has no InternalIP") {
		t.Errorf("got %v", unreachable)
	}
}

func TestConflistHasOneRangePerPodCIDR(t *testing.T) {
	var got struct {
		Plugins []struct {
			Bridge string
			IPAM   struct{ Ranges [][]hostLocalRange }
		}
	}
	text := conflist("cni0", node("", "10.244.0.0/24 fd00::/64", "").podCIDRs)
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	ranges := got.Plugins[0].IPAM.Ranges
	if len(ranges) != 2 || ranges[0][0].Subnet != "10.244.0.0/24" || ranges[1][0].Subnet != "fd00::/64" {
		t.Errorf("got %s", text)
	}
}

func TestNodesAsTheAPIAnswers(t *testing.T) {
	var list nodeList
	answer := `{"items":[{"metadata":{"name":"a"},"spec":{"podCIDR":"10.244.0.0/24","podCIDRs":["10.244.0.0/24"]},
		"status":{"addresses":[{"type":"Hostname","address":"a"},{"type":"InternalIP","address":"192.0.2.1"}]}}]}`
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		t.Fatal(err)
	}
	got := toNodes(list)[0]
	if want := node("a", "10.244.0.0/24", "192.0.2.1"); got.name != want.name ||
		!slices.Equal(got.podCIDRs, want.podCIDRs) || !slices.Equal(got.addresses, want.addresses) {
		t.Errorf("got %+v", got)
	}
}

func TestCopy(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	one, two := filepath.Join(from, "one"), filepath.Join(from, "two")
	for _, args := range [][]string{
		{"-f", one, two, to},
		{one, filepath.Join(to, "renamed")},
		{one, filepath.Join(to, "new") + "/"},
		{"-f", two, filepath.Join(to, "renamed")},
	} {
		if err := copyFiles(args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	for path, want := range map[string]string{"one": "one", "two": "two", "renamed": "two", "new/one": "one"} {
		got, err := os.ReadFile(filepath.Join(to, path))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q %v", path, got, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(to, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if info, err := os.Stat(filepath.Join(to, "one")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("not to be run: %v %v", info, err)
	}
}
