package event

import "strings"

// This file is the one table of fields. The names a rule may use, the JSON that is stored, what
// privacy does with a value, the Elasticsearch mapping and the field reference all come from it.
// To add a field, add its constant and its row, both in alphabetical order of the ECS name.

// ID names a field of an Event.
type ID uint8

// The fields, in the order of their ECS names: the order in which they are encoded.
const (
	Timestamp ID = iota
	AccountChannel
	AccountID
	AccountProduct
	AgentID
	AgentVersion
	APIKeyCreated
	APIKeyID
	APIKeyOwner
	APIKeyScope
	AppVersion
	ClientAllowListed
	ClientASNumber
	ClientASOrg
	ClientGeoCity
	ClientGeoCountry
	ClientGeoRegion
	ClientIP
	ConsentGrantedAt
	ConsentID
	ConsentStatus
	ConsentVersion
	DataClass
	DataObjectID
	DataRegion
	DataRegionAllowed
	DataRetainUntil
	DeviceID
	DeviceModel
	ECSVersion
	ErrorCode
	ErrorMessage
	EventAction
	EventCategory
	EventCreated
	EventDataset
	EventDuration
	EventID
	EventKind
	EventModule
	EventOutcome
	EventProvider
	EventReason
	EventType
	GatewayAuth
	GatewayAuthReason
	GatewayConsumer
	GatewayFlags
	GatewayProduct
	GatewayReason
	GatewayRoute
	GatewayService
	GatewayUpstreamStatus
	HostName
	HTTPRequestBodyBytes
	HTTPRequestBytes
	HTTPRequestCrossOrigin
	HTTPRequestForwarded
	HTTPRequestID
	HTTPRequestMethod
	HTTPRequestMimeType
	HTTPRequestOrigin
	HTTPRequestReferrer
	HTTPResponseBodyBytes
	HTTPResponseBytes
	HTTPResponseStatusCode
	HTTPVersion
	LivenessAttackClass
	LivenessAttackType
	LivenessAttempt
	LivenessCaptureEmulator
	LivenessCaptureRooted
	LivenessCaptureVirtualCamera
	LivenessDecision
	LivenessDecisionRaw
	LivenessLatencyMS
	LivenessMargin
	LivenessMediaDigest
	LivenessModality
	LivenessModelVersion
	LivenessReasonCategory
	LivenessReasonCode
	LivenessScore
	LivenessScoreRaw
	LivenessSDKName
	LivenessSDKVersion
	LivenessSessionID
	LivenessThreshold
	LivenessTransactionID
	LivenessVendor
	LivenessViolation
	LivewardAmbiguous
	LivewardHealthComponent
	LivewardHealthEvicted
	LivewardHealthLateShare
	LivewardHealthLines
	LivewardHealthMappingGaps
	LivewardHealthMissing
	LivewardHealthOutcomesMissing
	LivewardHealthQuarantined
	LivewardHealthQuarantinedShare
	LivewardHealthQuarantinedUsual
	LivewardHealthRule
	LivewardHealthRulesBlind
	LivewardHealthRulesDegraded
	LivewardHealthSilentSeconds
	LivewardHealthState
	LivewardJoinAccounts
	LivewardJoinAge
	LivewardJoinConsent
	LivewardJoinEvents
	LivewardJoinKind
	LivewardJoinProblems
	LivewardJoinStatus
	LivewardJoinSubject
	LivewardJoinVerdict
	LivewardLate
	LivewardMappingGap
	LivewardOffset
	LivewardPrivacyCount
	LivewardPrivacyDropped
	LivewardSkewed
	LivewardSource
	LogFilePath
	Message
	NetworkForwardedIP
	NetworkName
	NetworkProtocol
	ObserverProduct
	ObserverType
	OrganizationID
	RelatedIP
	RelatedUser
	ServiceEnvironment
	SourceIP
	SourcePort
	Tags
	ThreatFeedName
	ThreatIndicatorConfidence
	ThreatIndicatorName
	ThreatIndicatorType
	TLSCipher
	TLSClientIssuer
	TLSClientJA3
	TLSClientServerName
	TLSEstablished
	TLSVersion
	TLSVersionProtocol
	TraceID
	URLDomain
	URLPath
	URLQuery
	URLScheme
	UserID
	UserName
	UserAgentClass
	UserAgentName
	UserAgentOriginal

	// NumFields is the number of fields.
	NumFields int = iota
)

// Type is the type of a field's value.
type Type uint8

// The types, with their Elasticsearch type.
const (
	Keyword  Type = iota // keyword
	Keywords             // keyword, several values
	Text                 // match_only_text
	IP                   // ip, canonical text form
	Date                 // date, nanoseconds since the epoch, UTC
	Long                 // long
	Double               // double
	Bool                 // boolean
)

//nolint:gochecknoglobals // constant; Go has no constant arrays
var typeNames = [...]string{"keyword", "keywords", "text", "ip", "date", "long", "double", "boolean"}

// String is the type's name in documentation.
func (t Type) String() string { return typeNames[t] }

// Class says what the privacy filter does with a field's value. Every string of a document belongs
// to a class; there is no class that lets an arbitrary string of the log pass unseen.
type Class uint8

// The privacy classes.
const (
	Plain      Class = iota // numbers, booleans, and words that liveward or its configuration chose
	Identifier              // a technical id or word: bounded, restricted characters, masked if it looks like a secret
	FreeText                // text of the caller or gateway: bounded, scanned, findings masked
	Path                    // URL path: segments that look like ids or personal data become placeholders
	Address                 // IP address: kept, or truncated where configured
	Pseudonym               // raw id on arrival, keyed HMAC once stored
	Transient               // needed before privacy, never stored
)

//nolint:gochecknoglobals // constant; Go has no constant arrays
var classNames = [...]string{"plain", "identifier", "free text", "path", "address", "pseudonym", "transient"}

// String is the class's name in documentation.
func (c Class) String() string { return classNames[c] }

// Field is a row of the table.
type Field struct {
	Name  string   // ECS name, dotted
	Type  Type     // type of the value
	Class Class    // what privacy does with it
	ECS   bool     // whether ECS 8.17 defines it; else it is liveward's own
	Doc   string   // one sentence
	Enum  []string // the only values it can have; nil where open
}

// fields is indexed by ID. It is never written to.
//
//nolint:gochecknoglobals // the table is constant; Go has no constant arrays
var fields = [NumFields]Field{
	Timestamp:                      {Name: "@timestamp", Type: Date, Class: Plain, ECS: true, Doc: "When the call completed, by the gateway's log (UTC)."},
	AccountChannel:                 {Name: "account.channel", Type: Keyword, Class: Identifier, ECS: false, Doc: "Channel through which the account was opened: app, web, branch, ..."},
	AccountID:                      {Name: "account.id", Type: Keyword, Class: Pseudonym, ECS: false, Doc: "Pseudonym of the account that was opened."},
	AccountProduct:                 {Name: "account.product", Type: Keyword, Class: Identifier, ECS: false, Doc: "Product of the account."},
	AgentID:                        {Name: "agent.id", Type: Keyword, Class: Plain, ECS: true, Doc: "Id of the liveward agent that read the line."},
	AgentVersion:                   {Name: "agent.version", Type: Keyword, Class: Plain, ECS: true, Doc: "Version of that agent."},
	APIKeyCreated:                  {Name: "api_key.created", Type: Date, Class: Plain, ECS: false, Doc: "When the key was issued, from the key roster."},
	APIKeyID:                       {Name: "api_key.id", Type: Keyword, Class: Pseudonym, ECS: false, Doc: "Pseudonym of the API key or of its id in the gateway."},
	APIKeyOwner:                    {Name: "api_key.owner", Type: Keyword, Class: Plain, ECS: false, Doc: "Team or system that owns the key, from the key roster."},
	APIKeyScope:                    {Name: "api_key.scope", Type: Keywords, Class: Plain, ECS: false, Doc: "Actions granted to the key, from the key roster."},
	AppVersion:                     {Name: "app.version", Type: Keyword, Class: Identifier, ECS: false, Doc: "Version of the app in which the check was made."},
	ClientAllowListed:              {Name: "client.allow_listed", Type: Bool, Class: Plain, ECS: false, Doc: "Whether client.ip is on the allow list of the key, else of its tenant or region; absent when there is none."},
	ClientASNumber:                 {Name: "client.as.number", Type: Long, Class: Plain, ECS: true, Doc: "Autonomous system of client.ip."},
	ClientASOrg:                    {Name: "client.as.organization.name", Type: Keyword, Class: Plain, ECS: true, Doc: "Holder of that autonomous system."},
	ClientGeoCity:                  {Name: "client.geo.city_name", Type: Keyword, Class: Plain, ECS: true, Doc: "City of client.ip."},
	ClientGeoCountry:               {Name: "client.geo.country_iso_code", Type: Keyword, Class: Plain, ECS: true, Doc: "Country of client.ip."},
	ClientGeoRegion:                {Name: "client.geo.region_iso_code", Type: Keyword, Class: Plain, ECS: true, Doc: "Region of client.ip."},
	ClientIP:                       {Name: "client.ip", Type: IP, Class: Address, ECS: true, Doc: "The caller after the trusted proxies; the peer where there are none."},
	ConsentGrantedAt:               {Name: "consent.granted_at", Type: Date, Class: Plain, ECS: false, Doc: "When the consent was given."},
	ConsentID:                      {Name: "consent.id", Type: Keyword, Class: Identifier, ECS: false, Doc: "Reference of the consent the check relies on."},
	ConsentStatus:                  {Name: "consent.status", Type: Keyword, Class: Identifier, ECS: false, Doc: "State of that consent as the log gives it."},
	ConsentVersion:                 {Name: "consent.version", Type: Keyword, Class: Identifier, ECS: false, Doc: "Version of the consent text."},
	DataClass:                      {Name: "data.class", Type: Keyword, Class: Identifier, ECS: false, Doc: "Class of the stored object that was written, read or deleted: media, template, result, ..."},
	DataObjectID:                   {Name: "data.object.id", Type: Keyword, Class: Pseudonym, ECS: false, Doc: "Pseudonym of that object."},
	DataRegion:                     {Name: "data.region", Type: Keyword, Class: Identifier, ECS: false, Doc: "Region in which the call was processed."},
	DataRegionAllowed:              {Name: "data.region_allowed", Type: Bool, Class: Plain, ECS: false, Doc: "Whether data.region is one of the regions of the key; absent when the key has none, from the key roster."},
	DataRetainUntil:                {Name: "data.retain_until", Type: Date, Class: Plain, ECS: false, Doc: "Until when the object may be kept by its retention schedule."},
	DeviceID:                       {Name: "device.id", Type: Keyword, Class: Pseudonym, ECS: true, Doc: "Pseudonym of the device the check was made on."},
	DeviceModel:                    {Name: "device.model.identifier", Type: Keyword, Class: FreeText, ECS: true, Doc: "Model of that device."},
	ECSVersion:                     {Name: "ecs.version", Type: Keyword, Class: Plain, ECS: true, Doc: "Version of the Elastic Common Schema the document follows.", Enum: []string{ECSVersionValue}},
	ErrorCode:                      {Name: "error.code", Type: Keyword, Class: Identifier, ECS: true, Doc: "Error code of gateway or vendor."},
	ErrorMessage:                   {Name: "error.message", Type: Text, Class: FreeText, ECS: true, Doc: "Why the line could not be parsed, or the gateway's error text."},
	EventAction:                    {Name: "event.action", Type: Keyword, Class: Plain, ECS: true, Doc: "What the call did: liveness-check, gateway-call, ...", Enum: []string{"liveness-session-create", "liveness-check", "liveness-result", "liveness-webhook", "consent-change", "key-change", "account-opened", "data-stored", "data-read", "data-deleted", "gateway-call"}},
	EventCategory:                  {Name: "event.category", Type: Keywords, Class: Plain, ECS: true, Doc: "ECS categories; authentication exactly when credentials were refused.", Enum: []string{"api", "authentication", "configuration", "network", "web"}},
	EventCreated:                   {Name: "event.created", Type: Date, Class: Plain, ECS: true, Doc: "When the agent read the line."},
	EventDataset:                   {Name: "event.dataset", Type: Keyword, Class: Plain, ECS: true, Doc: "liveward.event, liveward.alert, liveward.audit or liveward.health.", Enum: []string{"liveward.event", "liveward.alert", "liveward.audit", "liveward.health"}},
	EventDuration:                  {Name: "event.duration", Type: Long, Class: Plain, ECS: true, Doc: "Duration of the call in nanoseconds."},
	EventID:                        {Name: "event.id", Type: Keyword, Class: Plain, ECS: true, Doc: "Deterministic id; the document's _id in Elasticsearch."},
	EventKind:                      {Name: "event.kind", Type: Keyword, Class: Plain, ECS: true, Doc: "event, pipeline_error for a quarantined line, metric for the agent's health.", Enum: []string{"event", "metric", "pipeline_error"}},
	EventModule:                    {Name: "event.module", Type: Keyword, Class: Plain, ECS: true, Doc: "Always liveward.", Enum: []string{"liveward"}},
	EventOutcome:                   {Name: "event.outcome", Type: Keyword, Class: Plain, ECS: true, Doc: "Outcome of the HTTP call: success below status 400, else failure.", Enum: []string{"success", "failure", "unknown"}},
	EventProvider:                  {Name: "event.provider", Type: Keyword, Class: Plain, ECS: true, Doc: "The format the line was read with."},
	EventReason:                    {Name: "event.reason", Type: Keyword, Class: FreeText, ECS: true, Doc: "Why the call had this outcome, as the gateway says."},
	EventType:                      {Name: "event.type", Type: Keywords, Class: Plain, ECS: true, Doc: "ECS event types.", Enum: []string{"access", "allowed", "change", "denied", "end", "error", "info", "start"}},
	GatewayAuth:                    {Name: "gateway.auth", Type: Keyword, Class: Plain, ECS: false, Doc: "Verdict on the caller's credentials: accepted, refused or absent.", Enum: []string{"accepted", "refused", "absent"}},
	GatewayAuthReason:              {Name: "gateway.auth_reason", Type: Keyword, Class: Plain, ECS: false, Doc: "Why credentials were refused.", Enum: []string{"missing_key", "unknown_key", "expired", "revoked", "scope", "ip_denied", "rate", "mtls", "token", "other"}},
	GatewayConsumer:                {Name: "gateway.consumer", Type: Keyword, Class: Identifier, ECS: false, Doc: "The gateway's name of the calling application."},
	GatewayFlags:                   {Name: "gateway.flags", Type: Keywords, Class: Identifier, ECS: false, Doc: "Response flags of the gateway (UAEX, RL, retried, ...)."},
	GatewayProduct:                 {Name: "gateway.product", Type: Keyword, Class: Plain, ECS: false, Doc: "Product that wrote the log: nginx, kong, ..."},
	GatewayReason:                  {Name: "gateway.reason", Type: Keyword, Class: FreeText, ECS: false, Doc: "The gateway's own explanation."},
	GatewayRoute:                   {Name: "gateway.route", Type: Keyword, Class: Identifier, ECS: false, Doc: "Route the call matched."},
	GatewayService:                 {Name: "gateway.service", Type: Keyword, Class: Identifier, ECS: false, Doc: "Service behind the route."},
	GatewayUpstreamStatus:          {Name: "gateway.upstream_status", Type: Long, Class: Plain, ECS: false, Doc: "Status of the last upstream attempt."},
	HostName:                       {Name: "host.name", Type: Keyword, Class: Identifier, ECS: true, Doc: "Host the log was read on."},
	HTTPRequestBodyBytes:           {Name: "http.request.body.bytes", Type: Long, Class: Plain, ECS: true, Doc: "Size of the request body."},
	HTTPRequestBytes:               {Name: "http.request.bytes", Type: Long, Class: Plain, ECS: true, Doc: "Size of the request, headers included."},
	HTTPRequestCrossOrigin:         {Name: "http.request.cross_origin", Type: Bool, Class: Plain, ECS: false, Doc: "Whether the request carried an Origin header; its value is never kept."},
	HTTPRequestForwarded:           {Name: "http.request.forwarded", Type: Keyword, Class: Transient, ECS: false, Doc: "Forwarded chain (X-Forwarded-For); becomes client.ip and network.forwarded_ip and is dropped."},
	HTTPRequestID:                  {Name: "http.request.id", Type: Keyword, Class: Identifier, ECS: true, Doc: "Request id of gateway or vendor; for joins only, clients can choose it."},
	HTTPRequestMethod:              {Name: "http.request.method", Type: Keyword, Class: Identifier, ECS: true, Doc: "Method, upper case."},
	HTTPRequestMimeType:            {Name: "http.request.mime_type", Type: Keyword, Class: Identifier, ECS: true, Doc: "Media type of the request body."},
	HTTPRequestOrigin:              {Name: "http.request.origin", Type: Keyword, Class: Transient, ECS: false, Doc: "Origin header; becomes http.request.cross_origin and is dropped."},
	HTTPRequestReferrer:            {Name: "http.request.referrer", Type: Keyword, Class: Transient, ECS: true, Doc: "Referer header; scanned for keys, then dropped."},
	HTTPResponseBodyBytes:          {Name: "http.response.body.bytes", Type: Long, Class: Plain, ECS: true, Doc: "Size of the response body."},
	HTTPResponseBytes:              {Name: "http.response.bytes", Type: Long, Class: Plain, ECS: true, Doc: "Size of the response, headers included."},
	HTTPResponseStatusCode:         {Name: "http.response.status_code", Type: Long, Class: Plain, ECS: true, Doc: "Status the caller got."},
	HTTPVersion:                    {Name: "http.version", Type: Keyword, Class: Identifier, ECS: true, Doc: "HTTP version without the letters HTTP/."},
	LivenessAttackClass:            {Name: "liveness.attack.class", Type: Keyword, Class: Plain, ECS: false, Doc: "presentation, injection, replay or unknown.", Enum: []string{"presentation", "injection", "replay", "unknown"}},
	LivenessAttackType:             {Name: "liveness.attack.type", Type: Keyword, Class: Identifier, ECS: false, Doc: "print, screen_replay, mask, virtual_camera, ..."},
	LivenessAttempt:                {Name: "liveness.attempt", Type: Long, Class: Plain, ECS: false, Doc: "Number of the attempt within its session."},
	LivenessCaptureEmulator:        {Name: "liveness.capture.emulator", Type: Bool, Class: Plain, ECS: false, Doc: "The capture ran on an emulator."},
	LivenessCaptureRooted:          {Name: "liveness.capture.rooted", Type: Bool, Class: Plain, ECS: false, Doc: "The capture ran on a rooted or jailbroken device."},
	LivenessCaptureVirtualCamera:   {Name: "liveness.capture.virtual_camera", Type: Bool, Class: Plain, ECS: false, Doc: "The frames came from a virtual camera."},
	LivenessDecision:               {Name: "liveness.decision", Type: Keyword, Class: Plain, ECS: false, Doc: "live, spoof, inconclusive, not_evaluated or error.", Enum: []string{"live", "spoof", "inconclusive", "not_evaluated", "error"}},
	LivenessDecisionRaw:            {Name: "liveness.decision_raw", Type: Keyword, Class: Identifier, ECS: false, Doc: "The vendor's word for it."},
	LivenessLatencyMS:              {Name: "liveness.latency_ms", Type: Double, Class: Plain, ECS: false, Doc: "Vendor's time for the check, in milliseconds."},
	LivenessMargin:                 {Name: "liveness.margin", Type: Double, Class: Plain, ECS: false, Doc: "Score minus threshold."},
	LivenessMediaDigest:            {Name: "liveness.media.digest", Type: Keyword, Class: Pseudonym, ECS: false, Doc: "Pseudonym of the digest of the media checked."},
	LivenessModality:               {Name: "liveness.modality", Type: Keyword, Class: Identifier, ECS: false, Doc: "passive, active, motion, flash, video or hybrid."},
	LivenessModelVersion:           {Name: "liveness.model_version", Type: Keyword, Class: Identifier, ECS: false, Doc: "Version of the vendor's model."},
	LivenessReasonCategory:         {Name: "liveness.reason.category", Type: Keyword, Class: Plain, ECS: false, Doc: "quality, capture, spoof, injection, session, auth, quota, vendor_error or abandoned.", Enum: []string{"quality", "capture", "spoof", "injection", "session", "auth", "quota", "vendor_error", "abandoned"}},
	LivenessReasonCode:             {Name: "liveness.reason.code", Type: Keyword, Class: Identifier, ECS: false, Doc: "The vendor's reason code."},
	LivenessScore:                  {Name: "liveness.score", Type: Double, Class: Plain, ECS: false, Doc: "Score from 0 to 1, high is live, whatever scale the vendor has."},
	LivenessScoreRaw:               {Name: "liveness.score_raw", Type: Double, Class: Plain, ECS: false, Doc: "Score on the vendor's scale."},
	LivenessSDKName:                {Name: "liveness.sdk.name", Type: Keyword, Class: Identifier, ECS: false, Doc: "Capture SDK."},
	LivenessSDKVersion:             {Name: "liveness.sdk.version", Type: Keyword, Class: Identifier, ECS: false, Doc: "Version of the capture SDK."},
	LivenessSessionID:              {Name: "liveness.session_id", Type: Keyword, Class: Identifier, ECS: false, Doc: "The vendor's session."},
	LivenessThreshold:              {Name: "liveness.threshold", Type: Double, Class: Plain, ECS: false, Doc: "Threshold the score was held against, 0 to 1."},
	LivenessTransactionID:          {Name: "liveness.transaction_id", Type: Keyword, Class: Identifier, ECS: false, Doc: "The vendor's transaction."},
	LivenessVendor:                 {Name: "liveness.vendor", Type: Keyword, Class: Identifier, ECS: false, Doc: "Vendor that answered."},
	LivenessViolation:              {Name: "liveness.violation", Type: Keyword, Class: Plain, ECS: false, Doc: "How the answer broke the vendor's contract; found by the vendor map.", Enum: []string{"score_range", "verdict_vs_score", "no_verdict", "unknown_code"}},
	LivewardAmbiguous:              {Name: "liveward.ambiguous", Type: Bool, Class: Plain, ECS: false, Doc: "The line's time has no zone and stands in the hour that comes twice when clocks go back; which pass it was is told from the lines before it."},
	LivewardHealthComponent:        {Name: "liveward.health.component", Type: Keyword, Class: Plain, ECS: false, Doc: "What a health event is about: an input, a rule, or the agent.", Enum: []string{"agent", "input", "rule"}},
	LivewardHealthEvicted:          {Name: "liveward.health.evicted", Type: Long, Class: Plain, ECS: false, Doc: "Keys that the rule forgot for want of room, in the last ten minutes."},
	LivewardHealthLateShare:        {Name: "liveward.health.late_share", Type: Double, Class: Plain, ECS: false, Doc: "Share of late events among the input's, in the last ten minutes."},
	LivewardHealthLines:            {Name: "liveward.health.lines", Type: Long, Class: Plain, ECS: false, Doc: "Lines read from the input in the last ten minutes."},
	LivewardHealthMappingGaps:      {Name: "liveward.health.mapping_gaps", Type: Long, Class: Plain, ECS: false, Doc: "Values that the vendor map does not know, in the last ten minutes."},
	LivewardHealthMissing:          {Name: "liveward.health.missing", Type: Keywords, Class: Plain, ECS: false, Doc: "Fields that a blind rule needs and no input provides."},
	LivewardHealthOutcomesMissing:  {Name: "liveward.health.outcomes_missing", Type: Long, Class: Plain, ECS: false, Doc: "Liveness calls of ten minutes in which no call had an outcome."},
	LivewardHealthQuarantined:      {Name: "liveward.health.quarantined", Type: Long, Class: Plain, ECS: false, Doc: "Lines of the input that could not be parsed, in the last ten minutes."},
	LivewardHealthQuarantinedShare: {Name: "liveward.health.quarantined_share", Type: Double, Class: Plain, ECS: false, Doc: "Their share of the lines."},
	LivewardHealthQuarantinedUsual: {Name: "liveward.health.quarantined_usual", Type: Double, Class: Plain, ECS: false, Doc: "That share in all the time before, since the agent started."},
	LivewardHealthRule:             {Name: "liveward.health.rule", Type: Keyword, Class: Plain, ECS: false, Doc: "Rule the health event is about."},
	LivewardHealthRulesBlind:       {Name: "liveward.health.rules.blind", Type: Long, Class: Plain, ECS: false, Doc: "Rules of the agent that no input can make fire, silent or not."},
	LivewardHealthRulesDegraded:    {Name: "liveward.health.rules.degraded", Type: Long, Class: Plain, ECS: false, Doc: "Rules of the agent that are degraded."},
	LivewardHealthSilentSeconds:    {Name: "liveward.health.silent_seconds", Type: Long, Class: Plain, ECS: false, Doc: "For how long the input has had no line, by the agent's clock; time before the agent's start does not count."},
	LivewardHealthState:            {Name: "liveward.health.state", Type: Keyword, Class: Plain, ECS: false, Doc: "How the input or rule is.", Enum: []string{"ok", "silent", "warming", "blind", "degraded", "expired"}},
	LivewardJoinAccounts:           {Name: "liveward.join.accounts", Type: Long, Class: Plain, ECS: false, Doc: "Accounts that the session, or the user, has opened, this one among them."},
	LivewardJoinAge:                {Name: "liveward.join.age", Type: Long, Class: Plain, ECS: false, Doc: "Seconds from call to outcome, or from verdict to account."},
	LivewardJoinConsent:            {Name: "liveward.join.consent", Type: Keyword, Class: Plain, ECS: false, Doc: "How the consent stands to the check of the account.", Enum: []string{"before", "after", "withdrawn", "none", "unknown"}},
	LivewardJoinEvents:             {Name: "liveward.join.events", Type: Keywords, Class: Plain, ECS: false, Doc: "Ids of the events that this one was derived from."},
	LivewardJoinKind:               {Name: "liveward.join.kind", Type: Keyword, Class: Plain, ECS: false, Doc: "Only derived events have it: what was joined, a call with its outcome, or an account with its verdict.", Enum: []string{"outcome", "account"}},
	LivewardJoinProblems:           {Name: "liveward.join.problems", Type: Keywords, Class: Plain, ECS: false, Doc: "All that is wrong with the verdict of the account; the first of it is the status.", Enum: []string{"missing", "failed", "stale", "reused", "mismatched"}},
	LivewardJoinStatus:             {Name: "liveward.join.status", Type: Keyword, Class: Plain, ECS: false, Doc: "Result of the join: of a check, whether both sides came; of an account, whether its verdict is live, or what is wrong with it.", Enum: []string{"joined", "no_outcome", "no_call", "live", "missing", "failed", "stale", "reused", "mismatched"}},
	LivewardJoinSubject:            {Name: "liveward.join.subject", Type: Keyword, Class: Plain, ECS: false, Doc: "Id of the call's event, or of the account's."},
	LivewardJoinVerdict:            {Name: "liveward.join.verdict", Type: Keyword, Class: Plain, ECS: false, Doc: "Id of the event that has the verdict."},
	LivewardLate:                   {Name: "liveward.late", Type: Bool, Class: Plain, ECS: false, Doc: "The line came later than its own source's lateness allows; windows skip it."},
	LivewardMappingGap:             {Name: "liveward.mapping_gap", Type: Keywords, Class: Plain, ECS: false, Doc: "Vendor fields whose value the vendor map does not know."},
	LivewardOffset:                 {Name: "liveward.offset", Type: Long, Class: Plain, ECS: false, Doc: "Byte offset of the line in its file."},
	LivewardPrivacyCount:           {Name: "liveward.privacy.count", Type: Long, Class: Plain, ECS: false, Doc: "How many values privacy dropped or masked in this line."},
	LivewardPrivacyDropped:         {Name: "liveward.privacy.dropped", Type: Keywords, Class: Plain, ECS: false, Doc: "What kinds of values they were; never the values."},
	LivewardSkewed:                 {Name: "liveward.skewed", Type: Bool, Class: Plain, ECS: false, Doc: "The line's time lay in the future; windows use the time it was read."},
	LivewardSource:                 {Name: "liveward.source", Type: Keyword, Class: Plain, ECS: false, Doc: "The collector's name of the log."},
	LogFilePath:                    {Name: "log.file.path", Type: Keyword, Class: Plain, ECS: true, Doc: "File the line was read from."},
	Message:                        {Name: "message", Type: Text, Class: FreeText, ECS: true, Doc: "Shape of a quarantined line, its values masked."},
	NetworkForwardedIP:             {Name: "network.forwarded_ip", Type: IP, Class: Address, ECS: true, Doc: "First address of the forwarded chain, trusted or not."},
	NetworkName:                    {Name: "network.name", Type: Keywords, Class: Plain, ECS: true, Doc: "Network lists that hold client.ip (corporate, cgnat, hosting, ...), and labels of their entries."},
	NetworkProtocol:                {Name: "network.protocol", Type: Keyword, Class: Plain, ECS: true, Doc: "Always http for gateway calls.", Enum: []string{"http"}},
	ObserverProduct:                {Name: "observer.product", Type: Keyword, Class: Plain, ECS: true, Doc: "Product that wrote the log."},
	ObserverType:                   {Name: "observer.type", Type: Keyword, Class: Plain, ECS: true, Doc: "Always proxy for gateways.", Enum: []string{"proxy"}},
	OrganizationID:                 {Name: "organization.id", Type: Keyword, Class: Identifier, ECS: true, Doc: "Tenant."},
	RelatedIP:                      {Name: "related.ip", Type: Keywords, Class: Address, ECS: true, Doc: "Every address in the event."},
	RelatedUser:                    {Name: "related.user", Type: Keywords, Class: Plain, ECS: true, Doc: "Every user pseudonym in the event."},
	ServiceEnvironment:             {Name: "service.environment", Type: Keyword, Class: Plain, ECS: true, Doc: "Environment of the gateway: production, staging, ..."},
	SourceIP:                       {Name: "source.ip", Type: IP, Class: Address, ECS: true, Doc: "The peer that connected to the gateway."},
	SourcePort:                     {Name: "source.port", Type: Long, Class: Plain, ECS: true, Doc: "Its port."},
	Tags:                           {Name: "tags", Type: Keywords, Class: Plain, ECS: true, Doc: "Tags of the input and of the network lists that hold client.ip, by configuration."},
	ThreatFeedName:                 {Name: "threat.feed.name", Type: Keywords, Class: Plain, ECS: true, Doc: "Threat lists that hold client.ip at the time of the call."},
	ThreatIndicatorConfidence:      {Name: "threat.indicator.confidence", Type: Keyword, Class: Plain, ECS: true, Doc: "How sure the surest of them is, where it says.", Enum: []string{"None", "Low", "Medium", "High"}},
	ThreatIndicatorName:            {Name: "threat.indicator.name", Type: Keyword, Class: FreeText, ECS: true, Doc: "What the list calls the indicator: a malware, a botnet, an exit node."},
	ThreatIndicatorType:            {Name: "threat.indicator.type", Type: Keyword, Class: Plain, ECS: true, Doc: "Kind of address that is on the list.", Enum: []string{"ipv4-addr", "ipv6-addr"}},
	TLSCipher:                      {Name: "tls.cipher", Type: Keyword, Class: Identifier, ECS: true, Doc: "Negotiated cipher between caller and gateway."},
	TLSClientIssuer:                {Name: "tls.client.issuer", Type: Keyword, Class: FreeText, ECS: true, Doc: "Issuer of the client certificate."},
	TLSClientJA3:                   {Name: "tls.client.ja3", Type: Keyword, Class: Identifier, ECS: true, Doc: "JA3 hash of the caller's TLS hello."},
	TLSClientServerName:            {Name: "tls.client.server_name", Type: Keyword, Class: Identifier, ECS: true, Doc: "Server name the caller asked for."},
	TLSEstablished:                 {Name: "tls.established", Type: Bool, Class: Plain, ECS: true, Doc: "Whether the call came over TLS."},
	TLSVersion:                     {Name: "tls.version", Type: Keyword, Class: Plain, ECS: true, Doc: "Negotiated version: 1.0, 1.1, 1.2, 1.3."},
	TLSVersionProtocol:             {Name: "tls.version_protocol", Type: Keyword, Class: Plain, ECS: true, Doc: "tls or ssl.", Enum: []string{"tls", "ssl"}},
	TraceID:                        {Name: "trace.id", Type: Keyword, Class: Identifier, ECS: true, Doc: "Distributed trace."},
	URLDomain:                      {Name: "url.domain", Type: Keyword, Class: Identifier, ECS: true, Doc: "Host the caller asked for."},
	URLPath:                        {Name: "url.path", Type: Keyword, Class: Path, ECS: true, Doc: "Path of the request; ids in it are masked."},
	URLQuery:                       {Name: "url.query", Type: Keyword, Class: Transient, ECS: true, Doc: "Query string; scanned for keys, then dropped."},
	URLScheme:                      {Name: "url.scheme", Type: Keyword, Class: Plain, ECS: true, Doc: "http or https.", Enum: []string{"http", "https"}},
	UserID:                         {Name: "user.id", Type: Keyword, Class: Pseudonym, ECS: true, Doc: "Pseudonym of the applicant."},
	UserName:                       {Name: "user.name", Type: Keyword, Class: Pseudonym, ECS: true, Doc: "Pseudonym of the name the caller authenticated with."},
	UserAgentClass:                 {Name: "user_agent.class", Type: Keyword, Class: Plain, ECS: false, Doc: "backend, browser, mobile, scanner or other.", Enum: []string{"backend", "browser", "mobile", "scanner", "other"}},
	UserAgentName:                  {Name: "user_agent.name", Type: Keyword, Class: Identifier, ECS: true, Doc: "Name of the user agent without its version: okhttp, Chrome, Apache-HttpClient, ..."},
	UserAgentOriginal:              {Name: "user_agent.original", Type: Keyword, Class: FreeText, ECS: true, Doc: "User-Agent header."},
}

// FieldOf returns the row of a field.
func FieldOf(id ID) *Field { return &fields[id] }

// String is the field's ECS name.
func (id ID) String() string { return fields[id].Name }

// Fields returns all ids in order of name.
func Fields() []ID {
	ids := make([]ID, NumFields)
	for i := range ids {
		ids[i] = ID(i)
	}
	return ids
}

// Lookup finds a field by its ECS name. Names under "labels." are not fields: see Event.Labels.
func Lookup(name string) (ID, bool) {
	lo, hi := 0, NumFields
	for lo < hi {
		mid := (lo + hi) / 2
		switch c := strings.Compare(fields[mid].Name, name); {
		case c == 0:
			return ID(mid), true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0, false
}

// SchemaField is a field that only documents other than events have: alerts and health.
type SchemaField struct {
	Name string // ECS name, dotted
	Type string // Elasticsearch type
	ECS  bool   // whether ECS 8.17 defines it
	Doc  string // one sentence
}

// AlertFields are the fields of alert documents beside those of the table.
func AlertFields() []SchemaField {
	return []SchemaField{
		{"event.ingested", "date", true, "When Elasticsearch was sent the document; spliced in by the forwarder."},
		{"event.risk_score", "double", true, "Risk the rule assigns, 0 to 100."},
		{"event.severity", "long", true, "21 low, 47 medium, 73 high, 99 critical."},
		{"liveward.alert.baseline", "double", false, "What is normal, where the rule has a baseline."},
		{"liveward.alert.count", "long", false, "Matching events, or distinct values, in the window."},
		{"liveward.alert.evidence", "keyword", false, "Event ids of the evidence, 20 at most."},
		{"liveward.alert.explain", "match_only_text", false, "Why the rule fired, in one sentence."},
		{"liveward.alert.first_event", "date", false, "Time of the first event counted."},
		{"liveward.alert.id", "keyword", false, "Id of the alert; the document's _id."},
		{"liveward.alert.key", "flattened", false, "Values of the rule's by fields."},
		{"liveward.alert.last_event", "date", false, "Time of the last event counted."},
		{"liveward.alert.lasting", "boolean", false, "It goes on until a document of status recovered says that it is over."},
		{"liveward.alert.late", "boolean", false, "Found in a backlog that came after its window had passed."},
		{"liveward.alert.mode", "keyword", false, "live or shadow."},
		{"liveward.alert.playbook", "keyword", false, "Name of the playbook."},
		{"liveward.alert.ratio", "double", false, "How many times normal, where the rule has a baseline."},
		{"liveward.alert.status", "keyword", false, "recovered or updated, for a document about an earlier alert; absent where the rule fired."},
		{"liveward.alert.suppressed", "long", false, "Firings of this key held back since its previous alert."},
		{"liveward.alert.threshold", "double", false, "What the rule holds the count against."},
		{"liveward.alert.top", "flattened", false, "Most frequent values of the rule's show fields."},
		{"liveward.alert.window", "keyword", false, "The rule's window."},
		{"rule.description", "keyword", true, "What the rule looks for."},
		{"rule.id", "keyword", true, "Id of the rule."},
		{"rule.name", "keyword", true, "Title of the alert."},
		{"rule.reference", "keyword", true, "Address of the playbook."},
		{"rule.ruleset", "keyword", true, "Hash of the rule set."},
		{"rule.version", "keyword", true, "Version of the rule."},
		{"threat.framework", "keyword", true, "MITRE ATT&CK."},
		{"threat.technique.id", "keyword", true, "ATT&CK and ATLAS techniques the rule looks for."},
	}
}
