// Package walk goes over JSON that is known to be valid and hands out its parts, without building
// anything of them.
//
// It never checks what it walks over: encoding/json's Valid does that before.
package walk

import "encoding/json"

// Elements calls f for each element of an array until it returns false.
func Elements(v []byte, f func(e []byte) bool) {
	for i := skipSpace(v, 1); i < len(v) && v[i] != ']'; {
		end := skipValue(v, i)
		if !f(v[i:end:end]) {
			return
		}
		if i = skipSpace(v, end); i < len(v) && v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
}

// Members calls f for each member of an object; of anything else for none. Keys are as they are
// written, without quotes.
func Members(v []byte, f func(key, value []byte)) {
	if len(v) == 0 || v[0] != '{' {
		return
	}
	for i := skipSpace(v, 1); i < len(v) && v[i] != '}'; {
		end := skipValue(v, i)
		key := v[i+1 : end-1]
		i = skipSpace(v, end) // :
		i = skipSpace(v, i+1) // value
		end = skipValue(v, i) // behind it
		f(key, v[i:end:end])
		i = skipSpace(v, end) // , or }
		if i < len(v) && v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
}

// Member returns the first member of that name, nil where there is none.
func Member(v []byte, name string) []byte {
	var found []byte
	Members(v, func(key, value []byte) {
		if found == nil && string(key) == name {
			found = value
		}
	})
	return found
}

func skipSpace(v []byte, i int) int {
	for i < len(v) && (v[i] == ' ' || v[i] == '\t' || v[i] == '\n' || v[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the index behind the value at i.
func skipValue(v []byte, i int) int {
	depth := 0
	for i < len(v) {
		switch v[i] {
		case '"':
			i = skipString(v, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of a number or a word, and of what it stands in
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r', ':':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

func skipString(v []byte, i int) int {
	for i++; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(v)
}

// Unquote returns what a JSON string says.
func Unquote(v []byte) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// IsString tells whether a value is a string.
func IsString(v []byte) bool { return len(v) > 1 && v[0] == '"' }
