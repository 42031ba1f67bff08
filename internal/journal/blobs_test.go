package journal_test

import (
	"bytes"
	"testing"
)

// What a kill leaves of a blob is freed at the next start, and blobs that have a name are left alone.
func TestAbandonedBlobs(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	if err := j.AbandonBlobForTest(t.Context(), 2); err != nil { // before there is any blob
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	messages := func(want uint64) {
		t.Helper()
		n, err := j.BlobMessagesForTest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n != want {
			t.Errorf("%d names and parts, want %d", n, want)
		}
	}
	messages(0)
	one, other := bytes.Repeat([]byte("1"), 300<<10), []byte("2")
	for range 2 { // replaced, it takes no more room
		if err := j.PutBlob(t.Context(), "windows.0", one); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.PutBlob(t.Context(), "windows.1", other); err != nil {
		t.Fatal(err)
	}
	messages(2 + 3 + 1)
	if err := j.AbandonBlobForTest(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	messages(2 + 3 + 1 + 5)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	messages(2 + 3 + 1)
	for name, want := range map[string][]byte{"windows.0": one, "windows.1": other} {
		got, err := j.Blob(t.Context(), name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("blob %s: %d bytes, %v", name, len(got), err)
		}
	}
}
