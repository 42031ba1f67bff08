package walk_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/liveward/liveward/collectors/internal/walk"
)

// The walk over values agrees with encoding/json.
func FuzzValues(f *testing.F) {
	for _, s := range []string{`[1, "a,]\"", {"b":[2]}, null]`, `[]`, `{"a":{"a":1},"b":[1,2],"c":"\\"}`, `{ "a" : -1e5 }`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		in = bytes.TrimSpace(in)
		if !json.Valid(in) {
			return
		}
		switch in[0] {
		case '[':
			var want []json.RawMessage
			if json.Unmarshal(in, &want) != nil {
				return
			}
			i := 0
			walk.Elements(in, func(e []byte) bool {
				if i >= len(want) || !bytes.Equal(e, want[i]) {
					t.Fatalf("element %d is %q", i, e)
				}
				i++
				return true
			})
			if i != len(want) {
				t.Fatalf("%d elements of %d", i, len(want))
			}
		case '{':
			dec := json.NewDecoder(bytes.NewReader(in))
			_, _ = dec.Token()
			walk.Members(in, func(key, value []byte) {
				k, err := dec.Token()
				var v json.RawMessage
				if err != nil || dec.Decode(&v) != nil {
					t.Fatalf("one member too many: %q", key)
				}
				if k != walk.Unquote([]byte(`"`+string(key)+`"`)) || !bytes.Equal(v, value) {
					t.Fatalf("member %q is %q, want %q of %q", key, value, v, k)
				}
			})
			if dec.More() {
				t.Fatal("a member was left out")
			}
		}
	})
}
