package file

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Log is one log's files.
type Log struct {
	Path  string   // where the log is written; a file alone is its own log
	Files []string // the oldest first
}

// Logs tells by their names which files are of one log, and which of them are older: app.log, app.log.1 and
// app.log.2.gz are of one, and so are app.log, app.log.2026-03-01.1 and app.log.2026-03-01.2. Names are all
// that it knows, so files whose names do not say which is older are not of one log. The logs stand in the
// order of their paths. What is named twice is taken once.
func Logs(paths []string) []Log {
	paths = Distinct(paths)
	left := make(map[string]bool, len(paths)) // files that are of no log yet
	for _, p := range paths {
		left[p] = true
	}
	var logs []Log
	used := map[string]bool{} // paths of logs
	for _, f := range families(paths) {
		f.files = slices.DeleteFunc(f.files, func(a archive) bool { return !left[a.path] })
		files := f.oldestFirst()
		if left[f.log] {
			files = append(files, f.log)
		}
		if len(files) < 2 || used[f.log] {
			continue
		}
		for _, p := range files {
			left[p] = false
		}
		used[f.log] = true
		logs = append(logs, Log{f.log, files})
	}
	for _, p := range paths {
		if left[p] {
			logs = append(logs, Log{p, []string{p}})
		}
	}
	slices.SortFunc(logs, func(a, b Log) int { return strings.Compare(a.Path, b.Path) })
	return logs
}

// Distinct are paths as the agent has them, in order, each once.
func Distinct(paths []string) []string {
	out := make([]string, 0, len(paths))
	for _, p := range paths {
		if p != "" {
			p = filepath.Clean(p)
		}
		out = append(out, p)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// family are the files that may be archives of one log, and whose names can be ordered.
type family struct {
	log   string
	form  string
	files []archive
}

// archive is a rotated file with what its name says of its age.
type archive struct {
	path string
	age
}

// families are what there may be among files, the one with the most files first, and of those with as many
// the one with the shortest name: it explains more of theirs. A file may be of several.
func families(paths []string) []*family {
	var all []*family
	known := map[[2]string]*family{}
	for _, p := range paths {
		dir, name := filepath.Split(p)
		rotatedFrom(name, func(base, token string) bool {
			age, ok := ageOf(token)
			if !ok {
				return true
			}
			key := [2]string{dir + base, age.form}
			f := known[key]
			if f == nil {
				f = &family{log: key[0], form: age.form}
				known[key], all = f, append(all, f)
			}
			f.files = append(f.files, archive{p, age})
			return true
		})
	}
	slices.SortFunc(all, func(a, b *family) int {
		return cmp.Or(cmp.Compare(len(b.files), len(a.files)), cmp.Compare(len(a.log), len(b.log)), strings.Compare(a.log, b.log), strings.Compare(a.form, b.form))
	})
	return all
}

// oldestFirst are the files in order, without those of which another has the same age: .1 and .01.
func (f *family) oldestFirst() []string {
	slices.SortFunc(f.files, func(a, b archive) int { return a.compare(b.age) })
	var out []string
	for i, a := range f.files {
		if i > 0 && a.compare(f.files[i-1].age) == 0 || i+1 < len(f.files) && a.compare(f.files[i+1].age) == 0 {
			continue
		}
		out = append(out, a.path)
	}
	return out
}

// age is what rotation put into a name, read as numbers. Ages of one form can be compared.
type age struct {
	form    string   // what stands there, without the numbers
	numbers []uint64 // the first one counts most; a higher one is newer
}

func (a age) compare(b age) int { return slices.Compare(a.numbers, b.numbers) }

// ageOf reads what rotation put into a name. Behind a date everything counts up: hours, and the index of the
// archives of a day, which Logback and Log4j count up. A number alone is small, and counts down: logrotate's
// .1 is newer than .2. A year, a day without one and the like say nothing for certain.
func ageOf(token string) (age, bool) {
	switch token {
	case "old", "bak", "prev":
		return age{form: token}, true
	}
	form, runs := runsOf(token)
	a := age{form: form}
	for _, run := range runs {
		n, err := strconv.ParseUint(run, 10, 63)
		if err != nil {
			return age{}, false
		}
		a.numbers = append(a.numbers, n)
	}
	if len(runs) == 1 && len(runs[0]) <= 3 {
		a.numbers[0] = ^a.numbers[0]
		return a, true
	}
	width := datePrefix(form, runs, a.numbers)
	a.form += width
	return a, width != ""
}

// runsOf parts a token into what it is without its numbers, and these.
func runsOf(token string) (form string, runs []string) {
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	runs = strings.FieldsFunc(token, func(r rune) bool { return !isDigit(r) })
	var b strings.Builder
	in := false
	for _, r := range token {
		if digit := isDigit(r); !digit {
			b.WriteRune(r)
		} else if !in {
			b.WriteByte('0')
		}
		in = isDigit(r)
	}
	return b.String(), runs
}

// datePrefix names the kind of date that numbers begin with; it is empty for none.
func datePrefix(form string, runs []string, n []uint64) string {
	width := len(runs[0])
	switch {
	case width == 4 && len(n) >= 3 && len(runs[1]) == 2 && len(runs[2]) == 2 && form[1] == form[3] && isMonth(n[0], n[1]) && isDay(n[2]):
		return "yyyy-mm-dd"
	case width == 4 && len(n) >= 2 && len(runs[1]) == 2 && isMonth(n[0], n[1]) && (len(n) == 2 || form[1] != form[3]):
		return "yyyy-mm"
	case width == 6 && isMonth(n[0]/100, n[0]%100):
		return "yyyymm"
	case width == 8 && isMonth(n[0]/1e4, n[0]/100%100) && isDay(n[0]%100):
		return "yyyymmdd"
	case width >= 10 && width <= 19: // a date with its time, or seconds since 1970
		return strconv.Itoa(width)
	}
	return ""
}

func isMonth(year, month uint64) bool {
	return year >= 1970 && year < 2100 && month >= 1 && month <= 12
}

func isDay(n uint64) bool { return n >= 1 && n <= 31 }
