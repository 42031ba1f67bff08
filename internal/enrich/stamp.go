package enrich

import (
	"os"
	"syscall"
)

// fileStamp tells one state of a file from another without reading it. The zero stamp is no file.
type fileStamp struct {
	modified, size int64
	inode          uint64
}

func stampOf(path string) fileStamp {
	if path == "" {
		return fileStamp{}
	}
	st, err := os.Stat(path)
	if err != nil {
		return fileStamp{modified: -1}
	}
	s := fileStamp{modified: st.ModTime().UnixNano(), size: st.Size()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}
