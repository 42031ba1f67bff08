package vendors

import "testing"

func TestBuiltinMaps(t *testing.T) {
	s, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Test(); err != nil {
		t.Fatal(err)
	}
}
