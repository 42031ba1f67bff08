package privacy

import "strings"

// elements finds the content of an XML element such as <password>: all that stands before its end, or, where that was
// cut off, to the end of the string.
func (sc *scanner) elements(s string) {
	for i := strings.IndexByte(s, '<'); i >= 0; {
		i++
		end := i
		for end < len(s) && (class[s[end]]&isAlnum != 0 || strings.IndexByte("_-.:", s[end]) >= 0) {
			end++
		}
		name := s[i:end]
		local := name[strings.LastIndexByte(name, ':')+1:]
		short := shortSecret(local)
		if short || secretName(local) {
			open := strings.IndexAny(s[end:], "<>")
			if open < 0 {
				return
			}
			open += end
			if i = open; s[open] == '>' && s[open-1] != '/' { // <pin/> has no content
				from, to := content(s, open+1, name)
				if to-from >= 3 && (!short || !known(s[from:to])) {
					sc.add(from, to, kindSecret)
				}
				i = to
			}
		}
		next := strings.IndexByte(s[i:], '<')
		if next < 0 {
			return
		}
		i += next
	}
}

// content returns where the content of the element with this name stands whose tag ends at i, without the space around it.
func content(s string, i int, name string) (from, to int) {
	const cdata = "<![cdata["
	for from = i; from < len(s) && strings.IndexByte(" \t\r\n", s[from]) >= 0; from++ {
	}
	to = from
	if hasFoldPrefix(s[from:], cdata) {
		end := strings.Index(s[from:], "]]>")
		if end < 0 {
			return from, len(s)
		}
		to += end
	}
	for {
		end := strings.Index(s[to:], "</")
		if end < 0 {
			to = len(s)
			break
		}
		if to += end; equalPrefix(s[to+2:], name) {
			break
		}
		to += 2
	}
	for to > from && strings.IndexByte(" \t\r\n", s[to-1]) >= 0 {
		to--
	}
	return from, to
}
