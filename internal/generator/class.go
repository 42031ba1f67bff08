package generator

import (
	"maps"
	"slices"
	"time"
)

// Class is a kind of attack.
type Class string

// The attacks. Which rules should fire is in Incident.
const (
	BadCredentials  Class = "bad_credentials"  // one address presents secrets for a few key ids; all are refused
	KeySpray        Class = "key_spray"        // one address tries many key ids, a few calls each
	GuessedKey      Class = "guessed_key"      // refusals of one key from one address, and then it is let in
	RevokedKey      Class = "revoked_key"      // a key that was withdrawn is presented
	OldKey          Class = "old_key"          // a key nobody has rotated for most of a year
	KeyOverlap      Class = "key_overlap"      // the old key of an application is used beside its new one
	SpreadGuess     Class = "spread_guess"     // refusals at one tenant from dozens of addresses, a call or two each
	OtherSoftware   Class = "other_software"   // a key is used from its own address by software it never was
	LateConsent     Class = "late_consent"     // sessions whose consent comes after the first capture
	SpoofWave       Class = "spoof_wave"       // prints, screens and masks at one tenant
	SpoofShare      Class = "spoof_share"      // the same in small: far more than usual, and too few for a fixed number
	InjectionFarm   Class = "injection_farm"   // one device, a virtual camera, many people
	FarmAddress     Class = "farm_address"     // many devices and people behind one telephone line, injected
	HillClimb       Class = "hill_climb"       // one person's score creeps up to the threshold, and passes
	ThresholdProbe  Class = "threshold_probe"  // many attempts whose scores lie just around the threshold
	SessionReplay   Class = "session_replay"   // a session that was live is submitted again, for other people
	MediaReplay     Class = "media_replay"     // the same frames for one person after the other
	VerdictTampered Class = "verdict_tampered" // answers say live where the score says spoof
	OffAllowList    Class = "off_allow_list"   // a stolen key works from an address that is not on its list
	BrowserClient   Class = "browser_client"   // a web page calls the API with the key in it
	MobileClient    Class = "mobile_client"    // an app calls the API with the key in it
	LegacyTLS       Class = "legacy_tls"       // a partner's client negotiates TLS 1.0
	PlainHTTP       Class = "plain_http"       // a partner's client calls without TLS
	FaceInLog       Class = "face_in_log"      // a line with a base64 face, then one with a raw key in its query
	BadInput        Class = "bad_input"        // a key's calls are malformed, one after the other
	Oversize        Class = "oversize"         // bodies too large or of a wrong type
	AttackStrings   Class = "attack_strings"   // traversal, injection and server-side request forgery in parameters
	ScopeDenied     Class = "scope_denied"     // a key asks for what it has not been granted
	Enumeration     Class = "enumeration"      // a key asks for results of sessions that are not its own, by the dozen
	AdminPath       Class = "admin_path"       // a key of an application calls the gateway's administration
	NoConsent       Class = "no_consent"       // checks without a consent
	WrongRegion     Class = "wrong_region"     // calls are processed in another region
	BulkRead        Class = "bulk_read"        // one key reads media of session after session
	PenTest         Class = "pen_test"         // as a confounder: an authorised test; see PenTestWindow
)

// classInfo is what is known of a class of attacks.
type classInfo struct {
	length time.Duration // when there is time enough
	count  int           // calls, or sessions of the classes that come in sessions
	rules  []string      // rules of the pack that should fire, if the key is known for long enough to have a normal
	may    []string      // those that may fire beside them
	plain  []string      // of rules, those to which a combined log shows enough
}

// classes tells of each class. The counts cross the thresholds of the shipped rules with room to spare.
func classes() map[Class]classInfo {
	return map[Class]classInfo{
		BadCredentials: {2 * time.Minute, 42, []string{ruleBurst}, []string{ruleSlowGuess}, []string{ruleBurst}},
		KeySpray:       {4 * time.Minute, 14, []string{ruleSpray}, []string{ruleSlowSpray, ruleSlowGuess}, nil},
		GuessedKey:     {5 * time.Minute, 16, []string{ruleGuessed}, nil, nil},
		RevokedKey:     {4 * time.Minute, 6, []string{ruleRevoked}, nil, nil},
		OldKey:         {3 * time.Minute, 4, []string{ruleOldKey}, nil, nil},
		KeyOverlap:     {5 * time.Minute, 6, []string{ruleOverlap}, nil, nil},
		SpreadGuess:    {8 * time.Minute, 72, []string{ruleAuthRate}, nil, nil},
		OtherSoftware:  {4 * time.Minute, 5, []string{ruleUAChange}, nil, nil},
		LateConsent:    {6 * time.Minute, 10, []string{ruleLateConsent, ruleAfterCapture}, []string{ruleConsent}, nil},

		SpoofWave:       {6 * time.Minute, 64, []string{ruleWaveCount}, []string{ruleWave, ruleSlowWave, ruleUX}, nil},
		SpoofShare:      {10 * time.Minute, 16, []string{ruleWave}, []string{ruleUX, ruleWaveCount, ruleSlowWave}, nil},
		InjectionFarm:   {15 * time.Minute, 14, []string{ruleFarm, ruleCamera}, []string{ruleCameraPassed, ruleWave, ruleUX, ruleThenPass}, nil},
		FarmAddress:     {30 * time.Minute, 26, []string{ruleFarmIP, ruleCamera}, []string{ruleCameraPassed, ruleWave, ruleWaveCount, ruleUX}, nil},
		HillClimb:       {20 * time.Minute, 18, []string{ruleThenPass}, []string{ruleSlowThenPass, ruleWave, ruleSlowWave, ruleEdge, ruleUX}, nil},
		ThresholdProbe:  {30 * time.Minute, 44, []string{ruleEdge}, []string{ruleWave, ruleWaveCount, ruleSlowWave, ruleDrift, ruleUX}, nil},
		SessionReplay:   {5 * time.Minute, 5, []string{ruleSession}, nil, nil},
		MediaReplay:     {10 * time.Minute, 6, []string{ruleMedia}, nil, nil},
		VerdictTampered: {4 * time.Minute, 9, []string{ruleContradiction}, []string{ruleDrift}, nil},

		OffAllowList:  {5 * time.Minute, 6, []string{ruleOffList}, nil, nil},
		BrowserClient: {4 * time.Minute, 6, []string{ruleBrowser}, nil, nil},
		MobileClient:  {4 * time.Minute, 6, []string{ruleMobile}, nil, nil},
		LegacyTLS:     {3 * time.Minute, 4, []string{ruleTLS}, nil, nil},
		PlainHTTP:     {3 * time.Minute, 4, []string{rulePlain}, nil, nil},
		FaceInLog:     {2 * time.Second, 2, []string{rulePII, ruleKeyInURL}, nil, []string{rulePII, ruleKeyInURL}},

		BadInput:      {8 * time.Minute, 44, []string{ruleInput}, nil, nil},
		Oversize:      {6 * time.Minute, 24, []string{ruleOversize}, nil, nil},
		AttackStrings: {3 * time.Minute, 12, []string{ruleStrings}, nil, []string{ruleStrings}},
		ScopeDenied:   {4 * time.Minute, 6, []string{ruleScope}, nil, nil},
		Enumeration:   {6 * time.Minute, 48, []string{ruleEnumeration}, []string{ruleScope}, nil},
		AdminPath:     {2 * time.Minute, 3, []string{ruleAdmin}, nil, nil},
		NoConsent:     {5 * time.Minute, 6, []string{ruleConsent}, nil, nil},
		WrongRegion:   {5 * time.Minute, 6, []string{ruleRegion}, nil, nil},
		BulkRead:      {20 * time.Minute, 70, []string{ruleBulk}, nil, nil},
		PenTest:       {4 * time.Minute, 60, []string{ruleBurst, ruleStrings}, nil, []string{ruleBurst, ruleStrings}},
	}
}

// Classes returns all attacks but the penetration test, which is a confounder, by name.
func Classes() []Class {
	return slices.Sorted(func(yield func(Class) bool) {
		for c := range maps.Keys(classes()) {
			if c != PenTest && !yield(c) {
				return
			}
		}
	})
}

// natural is the length and the count of an attack when there is time enough.
func (c Class) natural() (time.Duration, int, bool) {
	info, ok := classes()[c]
	return info.length, info.count, ok
}

// rules are the ids of the rules that should fire, and of those that may. A combined log has no key
// id, no verdict, no device and no TLS version, so most of them are blind there.
func (c Class) rules(format string) (should, may []string) {
	info := classes()[c]
	if format == NginxCombined {
		return append([]string{}, info.plain...), []string{}
	}
	return append([]string{}, info.rules...), append([]string{}, info.may...)
}
