package privacy

// ibanLengths are the countries that have bank account numbers of this form, and their lengths.
const ibanLengths = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 " +
	"EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 " +
	"LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 " +
	"RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"

//nolint:gochecknoglobals // constant
var ibanLength = makeIBANLength()

func makeIBANLength() (t [26][26]uint8) {
	for i := 0; i+4 <= len(ibanLengths); i += 5 {
		t[ibanLengths[i]-'A'][ibanLengths[i+1]-'A'] = (ibanLengths[i+2]-'0')*10 + ibanLengths[i+3] - '0'
	}
	return t
}

// ibanStart tells whether s, which is longer than that, begins as an account number does.
func ibanStart(s string) bool {
	return class[s[0]]&isAlpha != 0 && class[s[1]]&isAlpha != 0 && class[s[2]]&isDigit != 0 && class[s[3]]&isDigit != 0
}

// ibans finds international bank account numbers in any letter case, solid or in groups of four.
func (sc *scanner) ibans(s string) {
	for i := 0; i+15 <= len(s); {
		if ibanStart(s[i:]) {
			if end := iban(s, i); end > 0 {
				k := kindIBAN
				if class[s[i]]&isLower != 0 && hint(s[:i], sc.before) != hintPerson {
					k = kindNumber // one in some thousands of hexadecimal ids
				}
				sc.add(i, end, k)
				i = end
				continue
			}
		}
		// One begins where a run of letters and digits does.
		for i < len(s) && class[s[i]]&isAlnum != 0 {
			i++
		}
		for i < len(s) && class[s[i]]&isAlnum == 0 {
			i++
		}
	}
}

// iban returns where the account number that begins at i ends, or 0.
func iban(s string, i int) int {
	want := int(ibanLength[lower(s[i])-'a'][lower(s[i+1])-'a'])
	rem, n, j := 0, 4, i+4
	for ; j < len(s) && n < want; j++ {
		switch c := lower(s[j]); {
		case class[c]&isDigit != 0:
			rem = (rem*10 + int(c-'0')) % 97
		case class[c]&isLower != 0:
			rem = (rem*100 + int(c-'a') + 10) % 97
		case c == ' ' && n%4 == 0:
			continue
		default:
			return 0
		}
		n++
	}
	if want == 0 || n < want || j < len(s) && class[s[j]]&isAlnum != 0 {
		return 0
	}
	for _, c := range [...]byte{lower(s[i]), lower(s[i+1])} {
		rem = (rem*100 + int(c-'a') + 10) % 97
	}
	if (rem*100+int(s[i+2]-'0')*10+int(s[i+3]-'0'))%97 != 1 {
		return 0
	}
	return j
}
