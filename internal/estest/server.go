package estest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/liveward/liveward/internal/loopback"
)

// startTimeout is how long a start may take; on a busy machine it takes a minute, on a very busy one more.
const startTimeout = 8 * time.Minute

// unprivileged is the user ("nobody") under which the server runs where the tests run as root: it
// refuses to be root.
const unprivileged = 65534

// Server is a running Elasticsearch with one node.
type Server struct {
	URL         string `json:"url"`
	CA          []byte `json:"ca"`          // PEM
	Fingerprint string `json:"fingerprint"` // SHA-256 of the CA, hex
	Password    string `json:"password"`    // of the superuser "elastic"
	Dir         string `json:"dir"`         // configuration, data and logs of this server
	PID         int    `json:"pid"`         // leader of the server's process group

	foreign  bool // started by somebody else: not ours to stop
	detached bool // outlives this process
	home     string
	java     string
	options  Options
	cmd      *exec.Cmd
	exited   chan struct{}
	client   *http.Client
}

// Launch starts a server. A detached one goes on after this process; the others die with it.
func Launch(o Options, detached bool) (*Server, error) {
	java, err := findJava()
	if err != nil {
		return nil, err
	}
	home, err := distribution(java)
	if err != nil {
		return nil, err
	}
	s := &Server{home: home, java: java, options: o, detached: detached}
	if s.Dir, err = os.MkdirTemp("", "liveward-es-"); err != nil {
		return nil, err
	}
	if err := s.configure(); err != nil {
		os.RemoveAll(s.Dir)
		return nil, fmt.Errorf("estest: configure: %w", err)
	}
	if err := s.Start(); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) configure() error {
	host := loopback.Host()
	ports, err := loopback.Ports(host, 2)
	if err != nil {
		return err
	}
	certs, err := newCertificates(net.ParseIP(host))
	if err != nil {
		return err
	}
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	s.CA, s.Fingerprint, s.Password = certs.ca, certs.fingerprint, hex.EncodeToString(secret)
	s.URL = "https://" + net.JoinHostPort(host, strconv.Itoa(ports[0]))

	conf := s.path("config")
	for _, d := range []string{"config", "data", "logs", "tmp"} {
		if err := os.MkdirAll(s.path(d), 0o700); err != nil {
			return err
		}
	}
	for _, name := range []string{"log4j2.properties", "role_mapping.yml", "roles.yml"} {
		b, err := os.ReadFile(filepath.Join(s.home, "config", name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(conf, name), b, 0o600); err != nil {
			return err
		}
	}
	chain := certs.server
	if !s.options.LeafOnly {
		chain = slices.Concat(certs.server, certs.ca)
	}
	heap := s.options.Heap
	if heap == "" {
		heap = "1g"
	}
	yml := []string{
		"cluster.name: liveward-test",
		"node.name: test",
		"discovery.type: single-node",
		"network.host: " + host,
		"http.port: " + strconv.Itoa(ports[0]),
		"transport.port: " + strconv.Itoa(ports[1]),
		"path.data: " + s.path("data"),
		"path.logs: " + s.path("logs"),
		"cluster.routing.allocation.disk.threshold_enabled: false",
		"xpack.security.enabled: true",
		"xpack.security.autoconfiguration.enabled: false",
		"xpack.security.http.ssl.enabled: true",
		"xpack.security.http.ssl.certificate: server.crt",
		"xpack.security.http.ssl.key: server.key",
	}
	yml = append(yml, s.options.Settings...)
	jvm := []string{"-Xms" + heap, "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir=${ES_TMPDIR}", "-XX:+ExitOnOutOfMemoryError"}
	for name, b := range map[string][]byte{
		"server.crt":        chain,
		"server.key":        certs.key,
		"elasticsearch.yml": []byte(strings.Join(yml, "\n") + "\n"),
		"jvm.options":       []byte(strings.Join(jvm, "\n") + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(conf, name), b, 0o600); err != nil {
			return err
		}
	}
	if err := s.chown(); err != nil {
		return err
	}
	store := s.command("elasticsearch-keystore", "add", "-x", "-f", "bootstrap.password")
	store.Stdin = strings.NewReader(s.Password + "\n")
	if out, err := store.CombinedOutput(); err != nil {
		return fmt.Errorf("bootstrap password: %w\n%s", err, tail(out))
	}
	return nil
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

// chown gives the directory to the user the server runs as.
func (s *Server) chown() error {
	if os.Geteuid() != 0 {
		return nil
	}
	return filepath.WalkDir(s.Dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, unprivileged, unprivileged)
	})
}

// command is a program of the distribution, as the server's user and in a process group of its own.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.home, "bin", name), args...)
	cmd.Dir = s.Dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "LANG=C.UTF-8",
		"ES_JAVA_HOME=" + s.java, "ES_PATH_CONF=" + s.path("config"), "ES_TMPDIR=" + s.path("tmp"),
		"CLI_JAVA_OPTS=-XX:TieredStopAtLevel=1",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: unprivileged, Gid: unprivileged}
	}
	return cmd
}

// Start starts the server, or starts it again after Stop or Kill: same address, same data. It returns
// when the server answers.
func (s *Server) Start() error {
	if s.foreign {
		return errors.New("estest: this server belongs to the whole test run; start a private one")
	}
	out, err := os.OpenFile(s.path("output"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := s.command("elasticsearch")
	cmd.Stdout, cmd.Stderr = out, out
	if !s.detached {
		// The launcher dies with this process, and the server with the launcher.
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	exited := make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// The signal at the parent's death means the thread that forked: this one stays until the end.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its output
		}
		close(exited)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("estest: start: %w", err)
	}
	s.cmd, s.exited, s.PID = cmd, exited, cmd.Process.Pid
	if err := s.connect(); err != nil {
		return err
	}
	if err := s.waitHealthy(); err != nil {
		log, _ := os.ReadFile(s.path("output"))
		return fmt.Errorf("estest: %w\n%s", err, tail(log))
	}
	return nil
}

func (s *Server) waitHealthy() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		status, body, err := s.do(ctx, http.MethodGet, "/_cluster/health?wait_for_status=yellow&timeout=10s", nil)
		if err == nil && status == http.StatusOK && !bytes.Contains(body, []byte(`"timed_out":true`)) {
			return nil
		}
		if err != nil {
			last = err
		} else {
			last = fmt.Errorf("health answered %d", status)
		}
		select {
		case <-s.exited:
			return errors.New("elasticsearch ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("elasticsearch not up in %s: %w", startTimeout, last)
		case <-tick.C:
		}
	}
}

// Stop ends the server in good order.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) {
	if s.foreign || s.cmd == nil {
		return
	}
	s.client.CloseIdleConnections()
	target := s.PID
	if sig == syscall.SIGKILL {
		target = -s.PID // the launcher and the server
	}
	_ = syscall.Kill(target, sig) // gone already: as wanted
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(-s.PID, syscall.SIGKILL)
		<-s.exited
	}
	s.cmd = nil
}

// Remove kills the server and deletes all it had.
func (s *Server) Remove() {
	if s.foreign {
		return
	}
	s.Kill()
	_ = os.RemoveAll(s.Dir) // a temporary directory: what is left does no harm
}
