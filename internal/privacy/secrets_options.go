package privacy

import "strings"

// command is what is known of the command whose options are looked at: some letters are a password's with it alone.
type command struct {
	looked      bool
	curl, mysql bool
}

func (c *command) of(s string) *command {
	if !c.looked {
		c.looked = true
		c.curl = containsFold(s, "curl")
		c.mysql = containsFold(s, "mysql ") || containsFold(s, "mysqldump ") || containsFold(s, "mysqladmin ") || containsFold(s, "sshpass ")
	}
	return c
}

// option finds the value at i of the option that stands from word to end: -u name:password of curl, --password
// and -storepass and the like. It tells whether there is such an option.
func (sc *scanner) option(s string, cmd *command, word, end, i int) bool {
	if sc.attached(s, cmd, word, end) {
		return true
	}
	name := optionName(s[word:end])
	if len(name) < 2 || name[0] != '-' {
		return false
	}
	bare := strings.TrimLeft(name, "-")
	user := name == "--user" || name == "--proxy-user" || lower(name[len(name)-1]) == 'u' && (len(name) == 2 || len(name) <= 6 && name[1] != '-' && cmd.of(s).curl)
	short := shortSecret(bare)
	if !user && !short && !secretName(bare) {
		return false
	}
	from, to := valueAfter(s, i, false)
	switch v := s[from:to]; {
	case user:
		if namePassword(v) {
			sc.add(from, to, kindCredential)
		}
	case len(v) >= 3 && v[0] != '-' && (!short && name[1] == '-' || !known(v)):
		sc.add(from, to, kindSecret)
	}
	return true
}

// optionName is what of a word can be an option: letters, digits, hyphens and low lines at its end.
func optionName(word string) string {
	i := len(word)
	for i > 0 && (class[word[i-1]]&isAlnum != 0 || word[i-1] == '-' || word[i-1] == '_') {
		i--
	}
	return word[i:]
}

// attached finds what stands in one word with its option: -uname:password of curl, -ppassword of mysql.
func (sc *scanner) attached(s string, cmd *command, word, end int) bool {
	w := s[word:end]
	if len(w) < 5 || w[0] != '-' {
		return false
	}
	switch {
	case lower(w[1]) == 'u' && namePassword(w[2:]) && cmd.of(s).curl:
		sc.add(word+2, end, kindCredential)
	case w[1] == 'p' && cmd.of(s).mysql:
		sc.add(word+2, end, kindSecret)
	default:
		return false
	}
	return true
}

// namePassword tells name:password from a URL, and from the numbers of a user and his group.
func namePassword(v string) bool {
	name, password, ok := strings.Cut(v, ":")
	return ok && name != "" && password != "" && !strings.HasPrefix(password, "//") && (!allDigits(name) || !allDigits(password))
}
