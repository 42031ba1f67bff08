package privacy

import "strings"

// shortSecret tells names that are too short to be looked for at the end of others.
func shortSecret(name string) bool {
	if i := strings.LastIndexAny(name, "_-"); i >= 0 {
		name = name[i+1:]
	}
	return in(shortSecrets, name)
}

//nolint:gochecknoglobals // constant
var shortSecrets = makeWords(`pin otp cvv cvc pass passcode pw storepass keypass passwort sandi senha
sid sessid jsessionid phpsessid sig hmac`)

// secretName tells whether what has this name is a credential, as its end says, written with low lines, hyphens or
// neither.
func secretName(name string) bool {
	if name == "" || secretEnds&letterOf(name[len(name)-1]) == 0 {
		return false
	}
	for _, suffix := range secretSuffixes {
		if endsWith(name, suffix) {
			return true
		}
	}
	return false
}

// endsWith tells whether name ends with suffix, which is lower case, but for low lines and hyphens.
func endsWith(name, suffix string) bool {
	i := len(name)
	for k := len(suffix); k > 0; {
		if i--; i < 0 {
			return false
		}
		switch c := lower(name[i]); c {
		case suffix[k-1]:
			k--
		case '_', '-':
			if k == len(suffix) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

//nolint:gochecknoglobals // constant
var secretSuffixes = [...]string{
	"token", "secret", "password", "passwd", "pwd", "passphrase", "authorization", "cookie", "bearer", "signature", "credential", "credentials",
	"apikey", "accesskey", "accountkey", "authkey", "privatekey", "secretkey", "sharedkey", "signingkey",
}

// secretEnds are the letters with which the name of a credential ends.
//
//nolint:gochecknoglobals // constant
var secretEnds = func() (out uint64) {
	for _, suffix := range secretSuffixes {
		out |= letterOf(suffix[len(suffix)-1])
	}
	return out
}()
