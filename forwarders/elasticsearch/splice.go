package elasticsearch

import "bytes"

// appendIngested appends doc with "ingested" as first key of its event object, or with an event
// object where it has none. The document is not decoded: its other bytes stay as they are. ok is
// false where doc is no JSON object on one line, or its event is no object; dst is then unchanged.
func appendIngested(dst, doc []byte, stamp string) (out []byte, ok bool) {
	if len(doc) < 2 || doc[0] != '{' || doc[len(doc)-1] != '}' || bytes.IndexByte(doc, '\n') >= 0 {
		return dst, false
	}
	at, found, ok := eventObject(doc)
	if !ok {
		return dst, false
	}
	if !found {
		dst = append(dst, `{"event":{"ingested":"`...)
		dst = append(dst, stamp...)
		dst = append(dst, `"}`...)
		if next(doc, 1) != '}' {
			dst = append(dst, ',')
		}
		return append(dst, doc[1:]...), true
	}
	dst = append(dst, doc[:at]...)
	dst = append(dst, `"ingested":"`...)
	dst = append(dst, stamp...)
	dst = append(dst, '"')
	if next(doc, at) != '}' {
		dst = append(dst, ',')
	}
	return append(dst, doc[at:]...), true
}

// eventObject finds the value of the top-level key "event" and returns the index after its opening
// brace. It skips over strings as a whole, so nothing in a value can look like structure.
func eventObject(doc []byte) (at int, found, ok bool) {
	depth := 0
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return 0, false, next(doc, i+1) == 0
			}
		case '"':
			start := i
			i = stringEnd(doc, i+1)
			if i < 0 {
				return 0, false, false
			}
			if depth != 1 || string(doc[start:i+1]) != `"event"` {
				continue
			}
			colon := skip(doc, i+1)
			if colon == len(doc) || doc[colon] != ':' {
				continue // a value, not a key
			}
			brace := skip(doc, colon+1)
			if brace == len(doc) || doc[brace] != '{' {
				return 0, false, false
			}
			return brace + 1, true, true
		}
	}
	return 0, false, false
}

// stringEnd returns the index of the quote that ends the string whose first byte is at i, or -1.
func stringEnd(doc []byte, i int) int {
	for {
		n := bytes.IndexByte(doc[i:], '"')
		if n < 0 {
			return -1
		}
		end := i + n
		slashes := 0
		for end-slashes > i && doc[end-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
		i = end + 1
	}
}

// skip returns the index of the next byte that is no JSON white space, or len(doc).
func skip(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\t' || doc[i] == '\r' || doc[i] == '\n') {
		i++
	}
	return i
}

// next returns the next byte that is no white space, or 0 at the end.
func next(doc []byte, i int) byte {
	if i = skip(doc, i); i < len(doc) {
		return doc[i]
	}
	return 0
}
