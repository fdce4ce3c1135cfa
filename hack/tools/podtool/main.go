// Podtool is what the pods of test clusters run: the pause process, an HTTP server and clients, a prober that measures
// availability, a DNS client, `cp` for CNI installers, and a small CNI daemon. One static binary, so that its image
// needs neither a shell nor libraries.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const usage = `usage: podtool COMMAND
  pause                              wait for a signal, reaping orphans (what no command at all does too)
  serve [-drain D] PORT              HTTP on both families: who answers, and both ends of the connection
  get [-timeout D] URL...            one request to each over a connection of its own; exit 1 when one failed
  probe [-rate N] [-timeout D] [-slow D] [-listen ADDR] [-targets FILE] URL...
                                     requests without end; totals at SIGTERM and at /results
  dns [-timeout D] NAME TYPE SERVER  ask one server for A or AAAA; exit 1 without an answer
  cp [-f] SRC... DST                 copy files into a folder, or one file to a name
  bridge-cni [...]                   routes and CNI configuration from the Nodes' podCIDRs (-help lists its flags)
`

type command func(args []string) error

var commands = map[string]command{
	"pause":      pause,
	"serve":      serve,
	"get":        get,
	"probe":      probe,
	"dns":        lookUp,
	"cp":         copyFiles,
	"bridge-cni": bridgeCNI,
}

func main() {
	name, args := invocation(os.Args)
	run, known := commands[name]
	if !known {
		fmt.Fprintf(os.Stderr, "podtool: no command %q\n%s", name, usage)
		os.Exit(2)
	}
	if err := run(args); err != nil {
		fmt.Fprintf(os.Stderr, "podtool %s: %v\n", name, err)
		os.Exit(1)
	}
}

// invocation tells the command by the name the program was started as (`/bin/cp`, `/pause`), else by its first argument.
func invocation(argv []string) (string, []string) {
	if base := filepath.Base(argv[0]); commands[base] != nil {
		return base, argv[1:]
	}
	if len(argv) > 1 {
		return argv[1], argv[2:]
	}
	return "pause", nil
}

func flags(name string) *flag.FlagSet {
	set := flag.NewFlagSet(name, flag.ExitOnError)
	set.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		set.PrintDefaults()
	}
	return set
}
