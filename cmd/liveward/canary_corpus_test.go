package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// canary is a value that privacy promises to keep from being stored: what is written into the log, and
// the pieces of which none may be anywhere afterwards.
type canary struct {
	kind   string
	text   string
	pieces []string
}

// aviary makes canaries, each of them unique, and lines with them.
type aviary struct {
	random *rand.Rand
	n      int
	all    []canary
	where  map[string]string // piece → where it was planted
}

func newAviary(seed uint64) *aviary {
	return &aviary{random: rand.New(rand.NewPCG(seed, 7)), where: map[string]string{}}
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func (a *aviary) letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[a.random.IntN(len(letters))]
	}
	return string(b)
}

func (a *aviary) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(a.random.Uint32())
	}
	return b
}

func luhnDigit(digits string) string {
	for c := '0'; c <= '9'; c++ {
		sum := 0
		for i, d := range digits + string(c) {
			v := int(d - '0')
			if (len(digits)-i)%2 == 1 {
				if v *= 2; v > 9 {
					v -= 9
				}
			}
			sum += v
		}
		if sum%10 == 0 {
			return digits + string(c)
		}
	}
	panic("no check digit")
}

func iban(account string) string {
	n, ok := new(big.Int).SetString(account+"131400", 10) // DE, 00
	if !ok {
		panic("no number")
	}
	return fmt.Sprintf("DE%02d%s", 98-new(big.Int).Mod(n, big.NewInt(97)).Int64(), account)
}

// The kinds of canaries.
func kinds() []string {
	return []string{"email", "phone", "pan", "pan grouped", "nik", "iban", "jwt", "key", "named key", "face", "data url", "pem", "cookie", "basic", "header"}
}

// one makes a canary.
func (a *aviary) one(kind string) canary {
	a.n++
	r := a.random
	var text string
	pieces := []string(nil)
	switch kind {
	case "email":
		text = fmt.Sprintf("kenari.%s%d@sangkar%d.example", strings.ToLower(a.letters(4)), a.n, a.n)
	case "phone":
		text = fmt.Sprintf("+62813%08d", r.IntN(1e8))
		pieces = []string{text[1:]}
	case "pan":
		text = luhnDigit(fmt.Sprintf("453201%09d", r.IntN(1e9)))
	case "pan grouped":
		d := luhnDigit(fmt.Sprintf("541333%09d", r.IntN(1e9)))
		text = d[:4] + " " + d[4:8] + " " + d[8:12] + " " + d[12:]
		pieces = []string{d, text[5:]}
	case "nik":
		text = fmt.Sprintf("3174%02d%02d%02d%02d%04d", 1+r.IntN(10), 1+r.IntN(28), 1+r.IntN(12), 60+r.IntN(39), 1+r.IntN(9998))
	case "iban":
		text = iban(fmt.Sprintf("%08d%010d", r.IntN(1e8), r.IntN(1e9)))
	case "jwt":
		enc := base64.RawURLEncoding.EncodeToString
		body, signature := enc([]byte(fmt.Sprintf(`{"sub":"%x","iss":"https://idp.example"}`, a.bytes(8)))), enc(a.bytes(32))
		text = enc([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + body + "." + signature
		pieces = []string{body[12:36], signature}
	case "key":
		s := a.letters(24)
		text, pieces = "sk_live_"+s, []string{s}
	case "named key":
		s := a.letters(20)
		text, pieces = "api_key="+s, []string{s}
	case "face", "data url":
		f := "/9j/4AAQSkZJRgABAQ" + base64.StdEncoding.EncodeToString(a.bytes(2_400))
		text, pieces = f, []string{f[20:60], f[len(f)/2 : len(f)/2+40], f[len(f)-44 : len(f)-4]}
		if kind == "data url" {
			text = "data:image/jpeg;base64," + f
		}
	case "pem":
		s := base64.StdEncoding.EncodeToString(a.bytes(48))
		text, pieces = "-----BEGIN PRIVATE KEY-----\n"+s+"\n-----END PRIVATE KEY-----", []string{s[:30], s[30:]}
	case "cookie":
		x, y := a.letters(12), strings.ToLower(a.letters(12))
		text, pieces = "Cookie: theme=dark; sid="+x+"; remember="+y, []string{x, y}
	case "basic":
		s := base64.StdEncoding.EncodeToString([]byte("svc:" + a.letters(12)))
		text, pieces = "Basic "+s, []string{strings.TrimRight(s, "=")}
	case "header":
		x, y := strings.ToLower(a.letters(12)), strings.ToLower(a.letters(14))
		text, pieces = `Authorization: Custom `+x+` `+y, []string{x, y}
	}
	if pieces == nil {
		pieces = []string{text}
	}
	return canary{kind, text, pieces}
}

// encodings are the ways to write a value that a log can have.
func encodings() map[string]func(string) string {
	return map[string]func(string) string{
		"plain":     func(s string) string { return s },
		"percent":   url.QueryEscape,
		"percent 2": func(s string) string { return url.PathEscape(url.PathEscape(s)) },
		"percent all": func(s string) string {
			var b strings.Builder
			for i := range len(s) {
				fmt.Fprintf(&b, "%%%02x", s[i])
			}
			return b.String()
		},
		"json twice": func(s string) string { return escapeAll(s) },
		"html": func(s string) string {
			return strings.NewReplacer("@", "&#64;", "=", "&#x3d;", "1", "&#49;").Replace(s)
		},
		"upper":      strings.ToUpper,
		"lower":      strings.ToLower,
		"in text":    func(s string) string { return "failed for (" + s + "), again" },
		"zero width": func(s string) string { return s[:len(s)/2] + "\u200b" + s[len(s)/2:] },
		"full width": fullWidth,
		"base64url": func(s string) string {
			return base64.RawURLEncoding.EncodeToString([]byte("profile of the applicant, as it came: " + s))
		},
		"hexadecimal": func(s string) string {
			return hex.EncodeToString([]byte("profile of the applicant, as it came in this request today: " + s))
		},
	}
}

func escapeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\u%04x`, s[i])
	}
	return b.String()
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r - '!' + '！'
		}
		return r
	}, s)
}

// promised tells whether privacy promises to know a value of this kind in this encoding.
func promised(kind, encoding string) bool {
	switch encoding {
	case "upper", "lower": // what is another value in another case is none
		return slices.Contains([]string{"email", "iban", "jwt", "named key", "header", "cookie"}, kind)
	case "hexadecimal": // a digest until it is longer than one
		return len("profile of the applicant, as it came in this request today: ")*2 > 118
	case "html":
		return kind == "email" || kind == "pan" || kind == "phone" || kind == "named key"
	}
	return true
}

// plant notes a canary.
func (a *aviary) plant(c canary, where string) {
	a.all = append(a.all, c)
	for _, p := range c.pieces {
		a.where[p] = c.kind + " in " + where
	}
}

const nginxLine = `{"ts":"2026-03-14T09:12:44+07:00","request_id":"9f2c51aa","remote_addr":"10.20.0.5","xff":"203.0.113.24","method":"POST",` +
	`"uri":"/v1/liveness/check","status":200,"request_time":0.742,"lv_decision":"live","subject_ref":"s-1","device_ref":"d-1"}`

// fieldLines are lines of nginx's JSON log, each with one canary in one field: by name a member that
// the map knows or not.
func (a *aviary) fieldLines(members []string) [][]byte {
	var out [][]byte
	encode := encodings()
	for _, member := range members {
		for _, kind := range kinds() {
			for _, name := range slices.Sorted(maps.Keys(encode)) {
				if !promised(kind, name) {
					continue
				}
				c := a.one(kind)
				a.plant(c, member+", "+name)
				value := encode[name](c.text)
				switch member {
				case "uri":
					value = "/v1/subjects/" + value
				case "args":
					value = "lang=id&x=" + value
				case "referer":
					value = "https://app.example/start?x=" + value
				}
				out = append(out, withMember(member, value))
			}
		}
	}
	for _, member := range members { // the same as numbers
		for _, kind := range []string{"pan", "nik"} {
			for _, form := range []string{"%s", "0.%s", "%s.0", "-%s", "[%s, 1]"} {
				c := a.one(kind)
				a.plant(c, member+", as a number")
				line := withMember(member, "@@")
				out = append(out, bytes.Replace(line, []byte(`"@@"`), []byte(fmt.Sprintf(form, c.text)), 1))
			}
		}
	}
	return out
}

// withMember is an ordinary line with one member more, or changed.
func withMember(name string, value any) []byte {
	var line map[string]any
	if err := json.Unmarshal([]byte(nginxLine), &line); err != nil {
		panic(err)
	}
	line[name] = value
	b, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	return b
}

// oddLines are lines that are no proper lines of the format, or have canaries where no value stands.
func (a *aviary) oddLines() [][]byte {
	var out [][]byte
	add := func(c canary, where string, line []byte) {
		a.plant(c, where)
		out = append(out, line)
	}
	for _, kind := range kinds() {
		quote := func(c canary) string { b, _ := json.Marshal(c.text); return string(b) }
		c := a.one(kind)
		add(c, "a member's name", bytes.Replace([]byte(nginxLine), []byte(`{`), []byte(`{`+quote(c)+`:1,`), 1))
		c = a.one(kind)
		add(c, "a nested value", bytes.Replace([]byte(nginxLine), []byte(`{`), []byte(`{"body":{"a":[{"b":`+quote(c)+`}]},`), 1))
		c = a.one(kind)
		add(c, "JSON within JSON", withMember("reason", `{"error":`+quote(c)+`,"code":7}`))
		c = a.one(kind)
		add(c, "JSON within JSON, as a label of the gateway", withMember("lv_reason", `{"error":`+quote(c)+`,"code":7}`))
		c = a.one(kind)
		add(c, "a line cut off", []byte(nginxLine[:120]+`,"ua":`+strings.TrimSuffix(quote(c), `"`)))
		c = a.one(kind)
		add(c, "text after the object", []byte(nginxLine+` `+strings.ReplaceAll(c.text, "\n", " ")))
		c = a.one(kind)
		add(c, "no JSON", []byte(`2026/03/14 09:12:44 [error] 12#12: *7 upstream failed, request: "GET /?x=`+strings.ReplaceAll(c.text, "\n", " ")+` HTTP/1.1"`))
		c = a.one(kind)
		add(c, "not UTF-8", []byte("\xff\xfe{\"a\":"+strings.ReplaceAll(c.text, "\n", "\xc0")+"\x80"))
		c = a.one(kind)
		add(c, "not UTF-8, in a value", bytes.Replace([]byte(nginxLine), []byte(`s-1`), []byte("\xff"+strings.ReplaceAll(c.text, "\n", " ")+"\xff"), 1))
		c = a.one(kind)
		add(c, "every character escaped", bytes.Replace([]byte(nginxLine), []byte(`9f2c51aa`), []byte(escapeAll(c.text)), 1))
		c = a.one(kind)
		add(c, "a bad time", bytes.Replace([]byte(nginxLine), []byte(`2026-03-14T09:12:44+07:00`), []byte(strings.ReplaceAll(c.text, "\n", " ")), 1))
		c = a.one(kind)
		add(c, "a long line", []byte(nginxLine[:len(nginxLine)-1]+`,"image":"`+strings.Repeat(strings.ReplaceAll(c.text, "\n", " ")+" ", 1+100_000/len(c.text))+`"}`))
		// An id that no detector knows, in the field made for it, and copied all over the line.
		raw := fmt.Sprintf("nasabah-%s%d", strings.ToLower(a.letters(6)), a.n)
		a.plant(canary{"raw id", raw, []string{raw}}, "copies")
		for _, member := range []string{"subject_ref", "device_ref", "api_key", "remote_user", "lv_digest"} {
			line := []byte(strings.TrimSuffix(nginxLine, "}") + fmt.Sprintf(`,%q:%q,"ua":"app (%s)","uri":"/v1/%s/liveness?u=%s","consumer":%q,"reason":%q,"app_version":%q}`,
				member, raw, strings.ToUpper(raw), raw, raw, raw, "no "+escapeAll(raw), raw))
			out = append(out, line)
		}
	}
	return out
}

// combinedLines are lines of nginx's combined format, and of its error log among them.
func (a *aviary) combinedLines() [][]byte {
	var out [][]byte
	forms := map[string]string{
		"path":     `10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "POST /v1/%s/liveness HTTP/2.0" 200 412 "-" "okhttp/4.12.0"`,
		"query":    `10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness?x=%s HTTP/2.0" 200 412 "-" "okhttp/4.12.0"`,
		"user":     `10.20.0.5 - %s [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check HTTP/2.0" 200 412 "-" "okhttp/4.12.0"`,
		"host":     `%s 10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check HTTP/2.0" 200 412 "-" "okhttp/4.12.0"`,
		"method":   `10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "%s" 400 150 "-" "-"`,
		"referrer": `10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check HTTP/2.0" 200 412 "https://x.example/?a=%s" "okhttp/4.12.0"`,
		"agent":    `10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check HTTP/2.0" 200 412 "-" "app/1 (%s)"`,
		"behind":   `10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "POST /v1/liveness/check HTTP/2.0" 200 412 "-" "app/1" "%s" %s`,
		"error":    `2026/03/14 09:12:44 [error] 12#12: *7 no live upstreams, client: 10.20.0.5, request: "GET /?x=%s HTTP/1.1"`,
		"size":     `10.20.0.5 - - [14/Mar/2026:09:12:44 +0700] "POST / HTTP/2.0" 200 %s "-" "-"`,
	}
	for _, kind := range kinds() {
		for _, place := range slices.Sorted(maps.Keys(forms)) {
			c := a.one(kind)
			a.plant(c, "combined, "+place)
			text := strings.NewReplacer("\n", " ", `"`, `\x22`, "@", `\x40`).Replace(c.text)
			out = append(out, []byte(strings.ReplaceAll(forms[place], "%s", text)))
		}
	}
	return out
}

// finder finds canaries in bytes: each piece as it is, percent-encoded, in JSON escapes, hexadecimal
// and base64, all in any letter case.
type finder struct {
	byStart map[string][]form
	where   map[string]string
	seen    map[string]bool // what was reported, and where
}

type form struct{ text, piece string }

const formStart = 8

func newFinder() *finder {
	return &finder{byStart: map[string][]form{}, where: map[string]string{}, seen: map[string]bool{}}
}

func (f *finder) add(piece, where string) {
	f.where[piece] = where
	var percent, unicode strings.Builder
	for i := range len(piece) {
		fmt.Fprintf(&percent, "%%%02x", piece[i])
		fmt.Fprintf(&unicode, `\u%04x`, piece[i])
	}
	forms := []string{strings.ReplaceAll(unicode.String(), `\`, `\\`), piece, url.QueryEscape(piece), url.PathEscape(piece), percent.String(), unicode.String(), hex.EncodeToString([]byte(piece)), fullWidth(piece), strings.ReplaceAll(piece, "/", `\/`)}
	for shift := range 3 { // base64 of text with the piece in it, wherever in it
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, shift), piece...))
		from, to := (8*shift+5)/6, len(piece)*8/6+shift-2
		if to-from >= 12 {
			forms = append(forms, enc[from:to], strings.NewReplacer("+", "-", "/", "_").Replace(enc[from:to]))
		}
	}
	slices.Sort(forms)
	for _, s := range slices.Compact(forms) {
		s = strings.ToLower(s)
		f.byStart[s[:formStart]] = append(f.byStart[s[:formStart]], form{s, piece})
	}
}

// find calls report once for each piece that stands in data, which is a part of what.
func (f *finder) find(what string, data []byte, report func(piece, where string)) {
	text := string(bytes.ToLower(data)) // nobody changes a string: the race detector does not watch each byte of it
	for i := 0; i+formStart <= len(text); i++ {
		for _, m := range f.byStart[text[i:i+formStart]] {
			if strings.HasPrefix(text[i:], m.text) && !f.seen[what+"\x00"+m.piece] {
				f.seen[what+"\x00"+m.piece] = true
				report(m.piece, f.where[m.piece])
			}
		}
	}
}
