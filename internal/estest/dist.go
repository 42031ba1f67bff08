package estest

import (
	"archive/zip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Version is the version of the server.
const Version = "8.19.0"

const (
	artifact = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:" + Version + ":zip"
	// archiveSum is the SHA-256 of the archive: what runs here is what was reviewed.
	archiveSum = "14833b2d86c30656901f92049f81fb5777a8e4545413c8656cd1a21b55173033"
	// pluginRevision changes whenever the plugin does, so that the cache is built anew.
	pluginRevision = "1"
)

//go:embed plugin
var plugin embed.FS

// CacheDir is where the distribution is unpacked: $LIVEWARD_TEST_CACHE, else the user's cache; for
// root a directory that the unprivileged server can reach.
func CacheDir() (string, error) {
	if d := os.Getenv("LIVEWARD_TEST_CACHE"); d != "" {
		return filepath.Abs(d)
	}
	if os.Geteuid() == 0 {
		return "/var/cache/liveward-test", nil
	}
	d, err := os.UserCacheDir()
	return filepath.Join(d, "liveward-test"), err
}

// distribution returns the unpacked distribution with the plugin in it, making it where it is not in
// the cache. Several processes may call it at once.
func distribution(javaHome string) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	home := filepath.Join(cache, "elasticsearch-"+Version+"-"+pluginRevision)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	archive, err := fetch()
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := unpack(archive, work); err != nil {
		return "", fmt.Errorf("unpack %s: %w", archive, err)
	}
	fresh := filepath.Join(work, "elasticsearch-"+Version)
	if err := buildPlugin(javaHome, fresh, filepath.Join(work, "plugin")); err != nil {
		return "", err
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return "", err
	}
	return home, os.Rename(fresh, home)
}

// fetch returns the path of the verified archive in the local Maven repository, downloading it where
// it is not there.
func fetch() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	repo := os.Getenv("MAVEN_REPO_LOCAL")
	if repo == "" {
		repo = filepath.Join(home, ".m2", "repository")
	}
	path := filepath.Join(repo, "org/elasticsearch/distribution/integ-test-zip/elasticsearch", Version, "elasticsearch-"+Version+".zip")
	if _, err := os.Stat(path); err == nil {
		if err := verify(path); err == nil {
			return path, nil
		}
		// Cut off, or not what was asked for: another one may be good.
		if err := os.Remove(path); err != nil {
			return "", err
		}
	}
	if err := download(repo); err != nil {
		return "", err
	}
	return path, verify(path)
}

// download lets Maven fetch the archive into a repository. A network may fail for a while: it is asked again.
func download(repo string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New("estest: tests need Elasticsearch from Maven Central, and mvn is not installed (Debian: apt-get install maven)")
	}
	for _, pause := range []time.Duration{5 * time.Second, 15 * time.Second, 45 * time.Second, 0} {
		// -U: a failure is remembered for a day otherwise.
		out, err := exec.Command(mvn, "-q", "-B", "-U", "dependency:get", "-Dartifact="+artifact, "-Dtransitive=false", "-Dmaven.repo.local="+repo).CombinedOutput()
		if err == nil {
			return nil
		}
		if pause == 0 {
			return fmt.Errorf("estest: download %s: %w\n%s", artifact, err, tail(out))
		}
		time.Sleep(pause)
	}
	return nil
}

// verify holds that an archive is the one that was reviewed.
func verify(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != archiveSum {
		return fmt.Errorf("estest: %s has SHA-256 %s, want %s", path, sum, archiveSum)
	}
	return nil
}

func unpack(archive, dir string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, e := range z.File {
		if !filepath.IsLocal(e.Name) {
			return fmt.Errorf("entry %q leads out of the directory", e.Name)
		}
		path := filepath.Join(dir, e.Name)
		if e.FileInfo().IsDir() {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		// Readable for the unprivileged server, whoever unpacked it.
		if err := unpackFile(e, path, 0o644|e.Mode().Perm()&0o111); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(e *zip.File, path string, mode os.FileMode) error {
	r, err := e.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// buildPlugin compiles the test plugin against the distribution and installs it there. The minimal
// distribution lacks a module that the security index needs; the plugin stands in for it.
func buildPlugin(javaHome, home, work string) error {
	classes := filepath.Join(work, "classes")
	if err := os.MkdirAll(classes, 0o755); err != nil {
		return err
	}
	source := filepath.Join(work, "TestAnalysisPlugin.java")
	java, err := plugin.ReadFile("plugin/TestAnalysisPlugin.java")
	if err != nil {
		return err
	}
	if err := os.WriteFile(source, java, 0o644); err != nil {
		return err
	}
	out, err := exec.Command(filepath.Join(javaHome, "bin", "javac"), "-cp", filepath.Join(home, "lib", "*"), "-d", classes, source).CombinedOutput()
	if err != nil {
		return fmt.Errorf("estest: compile plugin: %w\n%s", err, tail(out))
	}
	dir := filepath.Join(home, "plugins", "liveward-test-analysis")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	out, err = exec.Command(filepath.Join(javaHome, "bin", "jar"), "cf", filepath.Join(dir, "plugin.jar"), "-C", classes, ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("estest: pack plugin: %w\n%s", err, tail(out))
	}
	descriptor, err := plugin.ReadFile("plugin/plugin-descriptor.properties")
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(descriptor), "@version@", Version)
	return os.WriteFile(filepath.Join(dir, "plugin-descriptor.properties"), []byte(text), 0o644)
}

// findJava returns the home of a JDK.
func findJava() (string, error) {
	for _, env := range []string{"ES_JAVA_HOME", "JAVA_HOME"} {
		if d := os.Getenv(env); d != "" {
			if _, err := os.Stat(filepath.Join(d, "bin", "javac")); err == nil {
				return d, nil
			}
		}
	}
	javac, err := exec.LookPath("javac")
	if err == nil {
		javac, err = filepath.EvalSymlinks(javac)
	}
	if err != nil {
		return "", errors.New("estest: tests start a real Elasticsearch, and no JDK is installed: 17 or newer, with javac (Debian: apt-get install openjdk-17-jdk-headless)")
	}
	return filepath.Dir(filepath.Dir(javac)), nil
}

// tail is the end of a program's output.
func tail(b []byte) string {
	const most = 4 << 10
	if len(b) > most {
		b = b[len(b)-most:]
	}
	return string(b)
}
