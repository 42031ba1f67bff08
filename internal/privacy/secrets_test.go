package privacy

import (
	"strings"
	"testing"
)

func TestSecrets(t *testing.T) {
	texts(t, map[string]string{
		"body <password>\n <![CDATA[hunter2</password>]]></password> end":  "body <password>  [secret]</password> end",
		"<password> <value>hunter2</value></password> <a>b</a>":            "<password> [secret]</password> <a>b</a>",
		"<password " + strings.Repeat("a ", 150) + ">hunter2</password>":   "<password " + strings.Repeat("a ", 150) + ">[secret]</password>",
		"<PassWord>пароль-1</password > x":                                 "<PassWord>[secret]</password > x",
		"<a:token>ab<b/>cd</c></a:token>":                                  "<a:token>[secret]</a:token>",
		`<add key="password" value="hunter2"/>`:                            `<add key="password" value="[secret]"/>`,
		`{"name":"password","in":"body","value":"hunter2"}`:                `{"name":"password","in":"body","value":"[secret]"}`,
		`<input value="hunter2" name="api_key"> <input value="b">`:         `<input value="[secret]" name="api_key"> <input value="b">`,
		"curl -uadmin:hunter2 https://x":                                   "curl -u[credential] https://x",
		"curl -su admin:hunter2 -U p:hunter2 --proxy-user=q:hunter2 -ub:c": "curl -su [credential] -U [credential] --proxy-user=[credential] -u[credential]",
		"run --user=a:hunter2 --pass hunter2 --pin 4829 --otp 482913 x":    "run --user=[credential] --pass [secret] --pin [secret] --otp [secret] x",
		"keytool -storepass hunter2 -list; plink -pw hunter2 host":         "keytool -storepass [secret] -list; plink -pw [secret] host",
		"java -password hunter2 -x":                                        "java -password [secret] -x",
		"mysql -u root -phunter2 db":                                       "mysql -u root -p[secret] db",
		"x --elasticsearch-keystore-bootstrap-password hunter2":            "x --elasticsearch-keystore-bootstrap-password [secret]",
		`Bearer "abcdefgh1ijklmnop" and Bearer 'abcdefgh1 ij`:              `Bearer "[credential]" and Bearer '[credential] ij`,
		`Token \"abcdefgh1ijklmnop\", Bearer <abcdefgh1ijk>`:               `Token \"[credential]\", Bearer <[credential]>`,
		"Bearer 12|abcdefghijklmnop, ApiKey abc:defghij":                   "Bearer [credential], ApiKey [credential]",
		"token=(abcdefgh1ijk) token={abcdefgh1ijk}":                        "token=([secret]) token={[secret]}",
		"Api-Key abcdefgh1ijk, API key abcdefgh1ijk is invalid":            "Api-Key [credential], API key [credential] is invalid",
		"AccountKey=abcdefgh==; secret_key=hunter2":                        "AccountKey=[secret]; secret_key=[secret]",
		"x-auth-key: hunter2 client_secret[0]=hunter2":                     "x-auth-key: [secret] client_secret[0]=[secret]",
		"password := hunter2, kata_sandi=hunter2":                          "password := [secret], kata_sandi=[secret]",
		"dial user:hunter2secret@tcp(127.0.0.1:3306)/db: refused":          "dial [credential]@tcp(127.0.0.1:3306)/db: refused",
		"dsn=user:hunter2secret@db:5432 refused":                           "dsn=[credential]@db:5432 refused",
		"postgres://alice:hunter2/secret@db/x refused":                     "postgres://[credential]@db/x refused",
		"access_token abcdefgh1ijk":                                        "access_token [credential]",

		// What must stay.
		"POST /v1/oauth/token HTTP/1.1": "", "GET /v1/access_token hunter2": "", "auth token 10.0.0.1 rejected": "", "token v2.1.0 unsupported": "",
		"token 2026-03-02 expired": "", "token 2026-03-02T10:00:00Z expired": "", "JWT token HS256/RS256 mismatch": "", "invalid token RS256-signed": "",
		"token endpoint-v2 unreachable": "", "token auth-1.internal:8443 timed out": "", "Basic Authentication required": "", "BASIC AUTHENTICATION REQUIRED": "",
		`Basic realm="x", Bearer realm="api", error="invalid_token"`: "", "expected </token> but got <sig/> at line 5": "", "Bearer <access_token>": "",
		`limiting requests, excess: 10.520 by zone "token", client: 203.0.113.7`: "", "token: (none), token={session_id}": "", `"token":{"status":"ok"}`: "", "token={status=bad1, code: 7}": "",
		`{"field":"otp","value":"failed"}`: "", `{"name":"lang","value":"hunter2"}`: "", "docker run -u 1000:1000 x": "", "curl -u https://x/": "",
		"GET ws://gw.bank.example:8080/x@y": "", "router liveness@file:8080": "", "at 10.0.0.1:8080@node1:80": "", "mysql-connector 8.0 -print": "", "API key lv-2 is unknown": "", "----- Bearer ......": "",
	})
}
