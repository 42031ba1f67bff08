
// Where there is no file, as for what stands on a command line, a problem names no place in one.
func TestProblemWithoutFile(t *testing.T) {
	var cfg struct {
		Dir string `yaml:"dir"`
	}
	for _, tc := range []struct {
		src  []byte
		want string
	}{
		{nil, "command line: x is not a directory"},
		{[]byte{}, "command line:1:1: x is not a directory"},
		{[]byte("dir: x"), "command line:1:6: x is not a directory"},
	} {
		f := strict.Decode("command line", tc.src, &cfg)
		f.Problem("dir", "x is not a directory", "")
		if got := f.Err().Error(); got != tc.want {
			t.Errorf("of %q: %s, not %s", tc.src, got, tc.want)
		}
	}
}
