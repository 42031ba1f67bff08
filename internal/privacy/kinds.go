package privacy

// kind is what a detector found. Its name stands in liveward.privacy.dropped and, in brackets, where
// the value was.
type kind uint8

const (
	kindNone kind = iota
	kindEmail
	kindPhone
	kindPAN
	kindIBAN
	kindNationalID
	kindJWT
	kindPEM
	kindSecret
	kindCredential
	kindImage
	kindBase64
	kindToken
	kindNumber // may be a person's number, and as well an id
	kindRawValue
	kindAddress
	kindUnscanned
	numKinds
)

//nolint:gochecknoglobals // constant
var kindNames = [numKinds]string{
	"", "email", "phone", "pan", "iban", "national_id", "jwt", "pem", "secret", "credential",
	"image", "base64", "token", "number", "raw_value", "address", "unscanned",
}

//nolint:gochecknoglobals // constant
var kindMasks = makeMasks()

func makeMasks() [numKinds]string {
	var out [numKinds]string
	for k, name := range kindNames {
		out[k] = "[" + name + "]"
	}
	return out
}

// Kinds lists what liveward.privacy.dropped can hold, beside api_key_in_url, which enrichment notes.
func Kinds() []string { return append([]string(nil), kindNames[1:]...) }

// span is a finding: bytes start to end of the string scanned.
type span struct {
	start, end int
	kind       kind
}

//nolint:gochecknoglobals // constant
var kindBraced = makeBraced()

func makeBraced() [numKinds]string {
	var out [numKinds]string
	for k, name := range kindNames {
		out[k] = "{" + name + "}"
	}
	return out
}
