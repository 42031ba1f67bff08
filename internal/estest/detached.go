package estest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Up starts a server that outlives this process, and returns the path of the file that describes it:
// the value of StateEnv.
func Up() (string, error) {
	s, err := Launch(Options{}, true)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	path := s.path("state.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		s.Remove()
		return "", err
	}
	return path, nil
}

// Down ends the server that the file describes, and deletes all it had.
func Down(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s Server
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.PID <= 1 || s.Dir != filepath.Dir(path) {
		return fmt.Errorf("%s does not describe a server of estest up", path)
	}
	for range 100 {
		if !s.alive() {
			return os.RemoveAll(s.Dir)
		}
		if err := syscall.Kill(-s.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end process group %d: %w", s.PID, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("process group %d does not end", s.PID)
}

// alive tells whether the launcher still runs. Its number may belong to another process by now: ours
// names its configuration on the command line.
func (s *Server) alive() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID))
	return err == nil && bytes.Contains(b, []byte(s.path("config")))
}
