// Command estest starts one Elasticsearch for a whole test run, and ends it.
//
//	estest up     start it; print the environment that tests find it by
//	estest down   end the one that the environment names
//
// It is a tool for tests: the server listens on loopback alone and loses its data with "down".
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

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
	s, err := estest.Launch(estest.Options{}, true)
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(s.Dir, "state.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		s.Remove()
		return err
	}
	fmt.Printf("%s=%s\n", estest.StateEnv, path)
	return nil
}

func down() error {
	path := os.Getenv(estest.StateEnv)
	if path == "" {
		return nil // none was started
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s estest.Server
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.PID <= 1 || s.Dir != filepath.Dir(path) {
		return fmt.Errorf("%s does not describe a server of estest up", path)
	}
	// The number may belong to another process by now: ours works in its own directory.
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", s.PID)); err == nil && cwd == s.Dir {
		if err := syscall.Kill(-s.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("end process group %d: %w", s.PID, err)
		}
	}
	return os.RemoveAll(s.Dir)
}
