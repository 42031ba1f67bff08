package privacy

import "strings"

// This file tells a person's number from an id that looks like one. One in thirty random numbers of 16
// digits passes as a payment card's, one in eighty as a NIK, one in a hundred of 11 digits as a CPF.
// All of them are masked. But a kind that wakes somebody up is only reported where the number is one in
// all likelihood; else the kind is "number".

// certain returns k, or kindNumber where the digits from..to may well be a part of an id or a time. A
// name before them decides; without one, text is believed if nothing touches the number, and
// identifiers are ids. solid: no separators; weak: many other numbers look like it.
func (sc *scanner) certain(s string, from, to int, k kind, solid, weak, text bool) kind {
	switch hint(s[:from], sc.before) {
	case hintPerson:
		return k
	case hintID:
		return kindNumber
	}
	if weak || solid && !text || !separate(s, from, to) {
		return kindNumber
	}
	return k
}

// separate tells whether the digits from..to stand for themselves, and not within a longer token such
// as gw-0818373460-9qlg8 or 10.0.0.1:4111.
func separate(s string, from, to int) bool {
	if from > 0 {
		switch c := s[from-1]; {
		case class[c]&isAlnum != 0, c == '_', c == '#', c == '*', c == '~':
			return false
		case (c == '-' || c == '.') && from > 1 && class[s[from-2]]&isAlnum != 0:
			return false
		}
	}
	if to < len(s) {
		switch c := s[to]; {
		case class[c]&isAlnum != 0, c == '_', c == '#', c == '~':
			return false
		case (c == '-' || c == '.') && to+1 < len(s) && class[s[to+1]]&isAlnum != 0:
			return false
		}
	}
	return true
}

type hinted uint8

const (
	hintNone hinted = iota
	hintPerson
	hintID
)

// maxHint is how far before a number its name may stand, in bytes.
const maxHint = 40

// hint says what the words before a number call it; the nearest one decides. before is what stands
// before text.
func hint(text, before string) hinted {
	for _, s := range [...]string{text, before} {
		s = s[max(0, len(s)-maxHint):]
		for end := len(s); end > 0; {
			for end > 0 && class[s[end-1]]&isAlpha == 0 {
				end--
			}
			start := end
			for start > 0 && class[s[start-1]]&isAlpha != 0 {
				start--
			}
			if h := nameHint(s[start:end]); h != hintNone {
				return h
			}
			end = start
		}
	}
	return hintNone
}

func nameHint(word string) hinted {
	for _, name := range [...]string{"card", "kartu", "phone", "mobile", "msisdn", "national", "aadha", "whatsapp", "passport"} {
		if containsFold(word, name) {
			return hintPerson
		}
	}
	switch {
	case in(personWords, word):
		return hintPerson
	case in(idWords, word), len(word) > 2 && strings.HasSuffix(word, "Id"):
		return hintID
	}
	return hintNone
}

//nolint:gochecknoglobals // constant
var (
	personWords = makeWords("iban rekening pan cc nik ktp ektp cpf ssn sin uidai tel telp telepon hp wa visa mastercard amex identity credit debit call sms")
	idWords     = makeWords(`id ids uid uuid req request requestid session sessionid trace traceid span txn tx transaction seq sequence serial
		ts time timestamp epoch msec usec nsec millis micros nonce correlation order orderid ref reference conn connection stream rrt offset
		build version job batch event message msg ray pod`)
)
