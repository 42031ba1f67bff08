package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// candidate is a file that may hold an earlier generation of a path.
type candidate struct {
	name  string
	st    status
	token string // what rotation put into the name: "1", "20260101"
	gz    bool
	f     *handle // held from the listing on, so that the file may be renamed or removed meanwhile
}

const (
	maxCandidates = 256 // the newest
	stableTries   = 5
)

// compressedExt is the ending of a compressed file's name, or empty. Only gzip is read.
func compressedExt(name string) string {
	for _, ext := range []string{".gz", ".bz2", ".xz", ".zst", ".Z", ".lz4"} {
		if strings.HasSuffix(name, ext) {
			return ext
		}
	}
	return ""
}

// rotatedFrom returns the base names that a base name may have been rotated from, with the part that
// rotation put in: access.log.1, access.log-20260101.gz, access.1.log, access-20260101.log.
func rotatedFrom(name string, yield func(base, token string) bool) {
	name = strings.TrimSuffix(name, compressedExt(name))
	for i := 1; i < len(name); i++ {
		if isRotation(name[i], name[i+1:]) && !yield(name[:i], name[i+1:]) {
			return
		}
	}
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if ext == "" || isToken(ext[1:]) {
		return
	}
	for i := 1; i < len(stem); i++ {
		if isRotation(stem[i], stem[i+1:]) && !yield(stem[:i]+ext, stem[i+1:]) {
			return
		}
	}
}

// isRotation tells whether a separator and a token are what rotation puts into a name: ".1",
// "-20260101". gateway-1.log beside gateway.log is another instance's log, not a rotated one.
func isRotation(separator byte, token string) bool {
	switch separator {
	case '.':
		return isToken(token)
	case '-', '_':
		return isToken(token) && digits(token) >= 6
	}
	return false
}

func isToken(s string) bool {
	switch s {
	case "old", "bak", "prev":
		return true
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && strings.IndexByte("-_.:TZ", s[i]) < 0 {
			return false
		}
	}
	return s != "" && s[0] >= '0' && s[0] <= '9'
}

func digits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

// siblings lists the rotated files of a path, the oldest first, and holds them open until release. A
// rotation may run meanwhile, so the list is taken until it is the same twice.
func (c *Collector) siblings(t *tail, skip ...ident) []candidate {
	last := c.listSiblings(t)
	for range stableTries {
		list := c.listSiblings(t)
		stable := slices.EqualFunc(list, last, sameFile)
		release(last)
		last = list
		if stable {
			break
		}
	}
	last = slices.DeleteFunc(last, func(x candidate) bool {
		if slices.Contains(skip, x.st.id) {
			release([]candidate{x})
			return true
		}
		return false
	})
	slices.SortStableFunc(last, func(a, b candidate) int {
		if a.before(b) {
			return -1
		}
		if b.before(a) {
			return 1
		}
		return 0
	})
	return last
}

func release(list []candidate) {
	for _, x := range list {
		if x.f != nil {
			_ = x.f.Close() // nothing was written
		}
	}
}

func sameFile(a, b candidate) bool { return a.name == b.name && a.st.id == b.st.id }

func (c *Collector) listSiblings(t *tail) []candidate {
	places := []string{t.path}
	for _, p := range []string{t.target, resolved(t.path)} {
		if p != "" && !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	var list []candidate
	seen := map[ident]bool{}
	for _, place := range places {
		dir, base := filepath.Split(place)
		entries, err := os.ReadDir(filepath.Clean(dir))
		if err != nil {
			continue // the look at the path itself reports it
		}
		for _, e := range entries {
			token, ok := "", false
			rotatedFrom(e.Name(), func(b, tok string) bool {
				token, ok = tok, b == base
				return !ok
			})
			name := filepath.Join(dir, e.Name())
			ext := compressedExt(name)
			if !ok || (ext != "" && ext != ".gz") {
				continue
			}
			f, st, err := openRegular(name)
			if err != nil {
				if errors.Is(err, fs.ErrPermission) {
					c.complain(t, err)
				}
				continue
			}
			if seen[st.id] {
				_ = f.Close()
				continue
			}
			seen[st.id] = true
			list = append(list, candidate{name: name, st: st, token: token, gz: ext == ".gz", f: newHandle(f)})
			list = dropOldest(list)
		}
	}
	// An archive beside its newer or equally old original is still being written.
	var writing []candidate
	for _, x := range list {
		if x.gz && slices.ContainsFunc(list, func(y candidate) bool { return y.name+".gz" == x.name && x.st.mtime >= y.st.mtime }) {
			writing = append(writing, x)
		}
	}
	release(writing)
	return slices.DeleteFunc(list, func(x candidate) bool {
		return slices.ContainsFunc(writing, func(y candidate) bool { return sameFile(x, y) })
	})
}

// dropOldest keeps the number of open candidates within its bound.
func dropOldest(list []candidate) []candidate {
	if len(list) <= maxCandidates {
		return list
	}
	oldest := 0
	for i := range list {
		if list[i].st.mtime < list[oldest].st.mtime {
			oldest = i
		}
	}
	release(list[oldest : oldest+1])
	return slices.Delete(list, oldest, oldest+1)
}

// before orders rotated files by age: by number, the highest first, or by date, where both have the
// same kind, else by the time of the last write.
func (x candidate) before(y candidate) bool {
	nx, errx := strconv.ParseUint(x.token, 10, 16)
	ny, erry := strconv.ParseUint(y.token, 10, 16)
	switch {
	case errx == nil && erry == nil:
		if nx != ny {
			return nx > ny
		}
	case errx != nil && erry != nil && len(x.token) == len(y.token) && digits(x.token) >= 6 && x.token != y.token:
		return x.token < y.token
	}
	if x.st.mtime != y.st.mtime {
		return x.st.mtime < y.st.mtime
	}
	return x.name > y.name
}

// open returns the candidate's content. The caller closes it; the candidate itself stays held.
func (x candidate) open(keep int) (source, error) {
	h := x.f
	if h == nil {
		f, st, err := openRegular(x.name)
		if err != nil {
			return nil, err
		}
		if st.id != x.st.id {
			_ = f.Close()
			return nil, fmt.Errorf("open %s: it was replaced meanwhile", x.name)
		}
		h = newHandle(f)
	} else {
		h.hold()
	}
	if x.gz {
		return newZipped(h, keep), nil
	}
	return plain{h}, nil
}

// resolved is the path with symbolic links followed, or empty.
func resolved(path string) string {
	p, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	return p
}
