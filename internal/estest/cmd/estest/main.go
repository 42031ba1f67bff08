// Command estest starts one Elasticsearch for a whole test run, and ends it.
//
//	estest up     start it; print the environment that tests find it by
//	estest down   end the one that the environment names
//
// It is a tool for tests: the server listens on loopback alone and loses its data with "down".
package main

import (
	"fmt"
	"os"

	"github.com/liveward/liveward/internal/estest"
)

func main() {
	run := map[string]func() error{"up": up, "down": down}
	if len(os.Args) != 2 || run[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: estest up | down")
		os.Exit(2)
	}
	if err := run[os.Args[1]](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func up() error {
	path, err := estest.Up()
	if err == nil {
		fmt.Printf("%s=%s\n", estest.StateEnv, path)
	}
	return err
}

func down() error {
	path := os.Getenv(estest.StateEnv)
	if path == "" {
		return nil // none was started
	}
	return estest.Down(path)
}
