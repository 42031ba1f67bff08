package privacy

import (
	"strings"

	"github.com/liveward/liveward/internal/event"
)

// This file is what liveward knows of ordinary words: a value that is nothing but one of them
// identifies nobody, and as names of fields they show the shape of a line.

// common words stand in paths, product names and verdicts.
const common = `access accept accepted account accounts action active allowed android apache apigee apisix attempt
auth backend browser capture check checks client complete consent consents create curl decision default delete
denied detect development device devices enrol enroll enrollment envoy error event expired face facetec failed failure
false finish frames gateway generic get health healthz image images inconclusive injection iphone iproov istio jumio
kong krakend liveness live liveness-check liveness-checks live-check login media mobile motion native nginx none null
okhttp onboarding online option options passive passed patch pending ping post presentation prod production public
put quality ready readyz refused region replay request requests response result results retry sandbox score search
selfie server service session sessions spoof staging start status submit success system tenant test tests timeout
token tokens traefik true unknown update upload uploads user users validate vendor verify verification version video
web webhook webhooks`

// logNames are names of fields in the logs that liveward reads.
const logNames = `agent api_id api_key app_version attack attack_class attack_type authenticated_entity authority
body body_bytes_sent bytes bytes_in bytes_out bytes_received bytes_sent chain cipher class client_ip clientaddr clienthost
clientport clientusername code connection_termination_details consent_id consent_version consumer consumer_id cookie
country created_at custom_id data date decision_raw detail details device_id device_model device_ref digest domain
downstream_local_address downstream_remote_address downstreamcontentsize downstreamstatus duration email entrypointname
error_code error_message fields flags format forwarded fwd_ip headers host hostname http_host http_referer
http_user_agent http_version id image_base64 ip issuer ja3 key key_hash key_id kind label labels latencies latency
latency_ms latency_total level limit_req_status log lv_attempt lv_decision lv_digest lv_reason lv_score lv_session
lv_threshold lv_vendor message method mime_type model model_version msec msg name operation origin originduration
originstatus overhead params password path payload peer phone photo pid port prefix product protocol proto query
querystring reason referer referrer remote_addr remote_port remote_user request_id request_length request_method
request_time request_uri requestaddr requesthost requestmethod requestpath requestprotocol response_code
response_code_details response_flags route route_name router routername scheme score_raw sdk sdk_name sdk_version secret
seq server_name serviceaddr servicename serviceurl session_id severity size sni source ssl_cipher ssl_client_verify
ssl_protocol started_at start_time startlocal startutc stream subject subject_ref template threshold time time_local
timestamp tls tlscipher tlsversion trace_id transaction_id tries ts type ua upstream upstream_addr upstream_cluster
upstream_host upstream_response_time upstream_service_time upstream_status upstream_transport_failure_reason
upstream_uri uri url url_path user_agent user_id username val value verdict workspace x_forwarded_for x-forwarded-for
xff`

//nolint:gochecknoglobals // constant
var (
	commonWords = makeWords(common)
	shapeWords  = makeWords(common, logNames, fieldNames())
)

func makeWords(lists ...string) map[string]struct{} {
	m := make(map[string]struct{})
	for _, list := range lists {
		for w := range strings.FieldsSeq(list) {
			m[w] = struct{}{}
		}
	}
	return m
}

// fieldNames are the parts of the names in the table of fields.
func fieldNames() string {
	var sb strings.Builder
	for _, id := range event.Fields() {
		sb.WriteString(strings.ReplaceAll(strings.TrimPrefix(id.String(), "@"), ".", " "))
		sb.WriteByte(' ')
	}
	return sb.String()
}

// known tells whether a raw value is nothing but a common word.
func known(s string) bool { return in(commonWords, s) }

// shape tells whether a name may stand in the shape of a line.
func shape(s string) bool { return in(shapeWords, s) }

func in(words map[string]struct{}, s string) bool {
	var buf [40]byte
	if len(s) > len(buf) {
		return false
	}
	for i := range len(s) {
		buf[i] = lower(s[i])
	}
	_, ok := words[string(buf[:len(s)])]
	return ok
}
