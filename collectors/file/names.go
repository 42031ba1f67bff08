package file

import (
	"path/filepath"
	"slices"
)

// Log is one log's files.
type Log struct {
	Path  string   // where the log is written; a file alone is its own log
	Files []string // the oldest first
}

// Logs tells by their names which files are of one log: app.log, app.log.1 and app.log.2.gz are. The logs stand
// in the order in which they are first named.
func Logs(paths []string) []Log {
	named := map[string]int{} // how many files each path may be the log of
	for _, p := range paths {
		named[p]++
		origins(p, func(log, _ string) { named[log]++ })
	}
	var logs []Log
	tokens := make([]map[string]string, 0, len(paths)) // by file, for each log
	for _, p := range paths {
		log, token := p, ""
		origins(p, func(l, tok string) {
			if named[l] > 1 && named[l] > named[log] {
				log, token = l, tok
			}
		})
		i := slices.IndexFunc(logs, func(l Log) bool { return l.Path == log })
		if i < 0 || slices.Contains(logs[i].Files, p) {
			logs, tokens = append(logs, Log{Path: log}), append(tokens, map[string]string{})
			i = len(logs) - 1
		}
		logs[i].Files = append(logs[i].Files, p)
		tokens[i][p] = token
	}
	for i := range logs {
		slices.SortStableFunc(logs[i].Files, func(a, b string) int {
			x, y := candidate{name: a, token: tokens[i][a]}, candidate{name: b, token: tokens[i][b]}
			switch {
			case a == logs[i].Path || x.token != "" && y.token != "" && y.before(x):
				return 1
			case b == logs[i].Path || x.token != "" && y.token != "" && x.before(y):
				return -1
			}
			return 0
		})
	}
	return logs
}

// origins calls f with the paths that a file may have been rotated from.
func origins(path string, f func(log, token string)) {
	dir, name := filepath.Split(path)
	rotatedFrom(name, func(base, token string) bool {
		f(dir+base, token)
		return true
	})
}
