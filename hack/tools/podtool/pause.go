package main

import (
	"os"
	"os/signal"
	"syscall"
)

// pause holds a pod's namespaces. As process 1 of a shared PID namespace it inherits orphans and must collect them.
func pause([]string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	child := make(chan os.Signal, 1)
	signal.Notify(child, syscall.SIGCHLD)
	for {
		reap()
		select {
		case <-stop:
			return nil
		case <-child:
		}
	}
}

func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
	}
}
