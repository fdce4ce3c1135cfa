package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func text(c config, key, otherwise string) string {
	if value, ok := c[key].(string); ok && value != "" {
		return value
	}
	return otherwise
}

func parseEnv(content string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(content) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			values[key] = value
		}
	}
	return values
}

// networkOf clears the host bits: flanneld writes the gateway's address with the length of the range.
func networkOf(subnet string) string {
	prefix, err := netip.ParsePrefix(subnet)
	if err != nil {
		return subnet // host-local refuses it with a message of its own
	}
	return prefix.Masked().String()
}

// errReported is a failure that the other plug-in has written to standard output itself.
var errReported = errors.New("reported by the plug-in that does the work")

// delegateTo hands over to the plug-in that the configuration names; its answer is this plug-in's answer.
func delegateTo(delegate config) error {
	path, err := find(text(delegate, "type", "bridge"))
	if err != nil {
		return err
	}
	body, err := json.Marshal(delegate)
	if err != nil {
		return err
	}
	command := exec.Command(path)
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(body), os.Stdout, os.Stderr
	err = command.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return errReported
	}
	return err
}

func find(plugin string) (string, error) {
	for _, folder := range filepath.SplitList(os.Getenv("CNI_PATH")) {
		path := filepath.Join(folder, plugin)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no plug-in %s in CNI_PATH=%s", plugin, os.Getenv("CNI_PATH"))
}
