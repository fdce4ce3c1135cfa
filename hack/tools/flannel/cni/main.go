// The CNI plug-in `flannel`: it turns what flanneld wrote into a configuration for the plug-in that does the work (bridge
// unless `delegate` says otherwise) and runs that. Upstream's is to be had from no Go module proxy.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	defaultSubnetFile = "/run/flannel/subnet.env"
	// The configuration of each container is kept, so that its removal works when flanneld has written another since.
	defaultDataDir = "/var/lib/cni/flannel"
)

type config map[string]any

func main() {
	err := run()
	if err == nil {
		return
	}
	if !errors.Is(err, errReported) {
		// CNI wants errors as JSON on standard output.
		_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"cniVersion": "1.0.0", "code": 100, "msg": "flannel: " + err.Error()})
	}
	os.Exit(1)
}

func run() error {
	command := os.Getenv("CNI_COMMAND")
	if command == "VERSION" {
		fmt.Println(`{"cniVersion":"1.0.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0"]}`)
		return nil
	}
	given := config{}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	record := filepath.Join(text(given, "dataDir", defaultDataDir), os.Getenv("CNI_CONTAINERID"))
	if command == "ADD" {
		return add(given, record)
	}
	return again(command, given, record)
}

func add(given config, record string) error {
	subnetFile := text(given, "subnetFile", defaultSubnetFile)
	env, err := os.ReadFile(subnetFile)
	if err != nil {
		return fmt.Errorf("flanneld has not written its subnets yet: %w", err)
	}
	delegate, err := delegateConfig(given, parseEnv(string(env)))
	if err != nil {
		return fmt.Errorf("%s: %w", subnetFile, err)
	}
	body, err := json.Marshal(delegate)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(record), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(record, body, 0o600); err != nil {
		return err
	}
	return delegateTo(delegate)
}

// again is CHECK and DEL. A container that has no record has nothing left to remove.
func again(command string, given config, record string) error {
	body, err := os.ReadFile(record)
	if os.IsNotExist(err) && command == "DEL" {
		return nil
	}
	if err != nil {
		return err
	}
	kept := config{}
	if err := json.Unmarshal(body, &kept); err != nil {
		return fmt.Errorf("%s: %w", record, err)
	}
	if given["prevResult"] != nil {
		kept["prevResult"] = given["prevResult"]
	}
	if err := delegateTo(kept); err != nil || command != "DEL" {
		return err
	}
	return os.Remove(record)
}

// delegateConfig is the work of this plug-in: one host-local range and one route for each family that flanneld has.
func delegateConfig(given config, env map[string]string) (config, error) {
	delegate, _ := given["delegate"].(map[string]any)
	if delegate == nil {
		delegate = config{}
	}
	merged := config{"type": "bridge", "isGateway": true, "hairpinMode": false}
	for key, value := range delegate {
		merged[key] = value
	}
	merged["name"], merged["cniVersion"] = given["name"], given["cniVersion"]
	// Of two that masquerade, the one that knows the whole pod network must do it.
	merged["ipMasq"] = env["FLANNEL_IPMASQ"] != "true"
	if mtu := env["FLANNEL_MTU"]; mtu != "" && merged["mtu"] == nil {
		merged["mtu"] = json.Number(mtu)
	}
	ranges, routes := []any{}, []any{}
	for _, family := range []string{"", "IPV6_"} {
		subnet, network := env["FLANNEL_"+family+"SUBNET"], env["FLANNEL_"+family+"NETWORK"]
		if subnet != "" {
			ranges = append(ranges, []any{map[string]string{"subnet": networkOf(subnet)}})
		}
		if network != "" {
			routes = append(routes, map[string]string{"dst": network})
		}
	}
	if len(ranges) == 0 {
		return nil, fmt.Errorf("it names no subnet")
	}
	merged["ipam"] = map[string]any{"type": "host-local", "ranges": ranges, "routes": routes}
	return merged, nil
}
