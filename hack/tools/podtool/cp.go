package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// copyFiles is as much of cp(1) as installers of CNI plugins use. `-f` is how it always works: files are written beside
// their target and renamed, so that a plugin that is running, or about to, is never seen half-written.
func copyFiles(args []string) error {
	set := flags("cp")
	_ = set.Bool("f", true, "replace what is there")
	_ = set.Parse(args)
	if set.NArg() < 2 {
		return errors.New("give sources and a target")
	}
	sources, target := set.Args()[:set.NArg()-1], set.Arg(set.NArg()-1)
	into := len(sources) > 1 || strings.HasSuffix(target, "/") || isFolder(target)
	for _, source := range sources {
		to := target
		if into {
			to = filepath.Join(target, filepath.Base(source))
		}
		if err := copyFile(source, to); err != nil {
			return err
		}
	}
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func copyFile(source, target string) error {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	// Container runtimes read every *.conf, *.conflist and *.json of the folder: the unfinished file must not look like one.
	to, err := os.CreateTemp(filepath.Dir(target), ".podtool-*.partial")
	if err != nil {
		return err
	}
	defer os.Remove(to.Name()) // gone already after the rename
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	if err := errors.Join(to.Chmod(info.Mode().Perm()), to.Close()); err != nil {
		return err
	}
	return os.Rename(to.Name(), target)
}
