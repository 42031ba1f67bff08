package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/liveward/liveward/collectors/file"
)

// Copy is a file that was not read, because another one that was holds all that it does.
type Copy struct{ Path, Of string }

// withoutCopies leaves out what would be read twice: a file that has a second name, and one of a file and
// the archive that is, or was, made of it. What differs from its archive stays, and so does the archive.
func (r *Replay) withoutCopies(ctx context.Context, paths []string) (kept []string, copies []Copy, err error) {
	kept = file.Distinct(paths)
	if r.Open == nil {
		kept, copies = withoutLinks(kept)
	}
	for _, plain := range slices.Clone(kept) {
		zipped := plain + ".gz"
		if _, both := slices.BinarySearch(kept, zipped); !both {
			continue
		}
		c, err := r.sameLines(ctx, plain, zipped)
		if err != nil {
			return nil, nil, err
		}
		if c.Path != "" {
			copies = append(copies, c)
			kept = slices.DeleteFunc(kept, func(p string) bool { return p == c.Path })
		}
	}
	return kept, copies, nil
}

// withoutLinks leaves each file its own name, or the first one of several.
func withoutLinks(paths []string) (kept []string, copies []Copy) {
	type named struct {
		path string
		info os.FileInfo
	}
	var files []named
	for _, links := range []bool{false, true} {
		for _, p := range paths {
			l, err := os.Lstat(p)
			if p == "-" || err != nil { // opening it says so
				if !links {
					kept = append(kept, p)
				}
				continue
			}
			if l.Mode()&os.ModeSymlink != 0 != links {
				continue
			}
			info, err := os.Stat(p)
			if err != nil || !info.Mode().IsRegular() {
				kept = append(kept, p)
				continue
			}
			i := slices.IndexFunc(files, func(f named) bool { return os.SameFile(f.info, info) })
			if i >= 0 {
				copies = append(copies, Copy{p, files[i].path})
				continue
			}
			files = append(files, named{p, info})
			kept = append(kept, p)
		}
	}
	slices.Sort(kept)
	return kept, copies
}

// sameLines tells which of two files the other one begins with: an archive that is still being written or is
// complete, or a file that is being unpacked. Where neither is, there is no copy.
func (r *Replay) sameLines(ctx context.Context, plain, zipped string) (c Copy, err error) {
	a, err := r.input(plain)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	b, err := r.input(zipped)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Copy{zipped, plain}, nil // not even its head is written
	}
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	x, y := make([]byte, minRead), make([]byte, minRead)
	for {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if short := min(n, m); !bytes.Equal(x[:short], y[:short]) {
			return c, nil
		}
		for _, f := range []struct {
			path string
			err  error
		}{{plain, errA}, {zipped, errB}} {
			if f.err != nil && !errors.Is(f.err, io.EOF) && !errors.Is(f.err, io.ErrUnexpectedEOF) {
				return c, fmt.Errorf("%s: %w", f.path, f.err)
			}
		}
		switch {
		case errB != nil && m <= n:
			return Copy{zipped, plain}, nil
		case errA != nil && n <= m:
			return Copy{plain, zipped}, nil
		}
	}
}
