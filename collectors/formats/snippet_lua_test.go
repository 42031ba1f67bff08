package formats

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/liveward/liveward/internal/loopback"
)

// Kong and APISIX are not to be had as packages. Both are Lua inside nginx, and what their snippets say
// is Lua and names of nginx's variables: these tests run exactly that in the real nginx with the real
// Lua module, around it a stand-in for what the gateway does with it.

// startLua starts nginx with Lua code in the phases before and after the call.
func startLua(t *testing.T, dir, rewrite, log string) (plain, secure string) {
	t.Helper()
	upstream := livenessAdapter(t)
	writeCertificate(t, dir)
	writeFile(t, filepath.Join(dir, "rewrite.lua"), rewrite)
	writeFile(t, filepath.Join(dir, "log.lua"), log)
	plain, secure = loopback.Address(t), loopback.Address(t)
	startNginx(t, dir, plain, fmt.Sprintf(`
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off; master_process off; pid nginx.pid; error_log error.log notice;
events {}
http {
	%s
	access_log off;
	server {
		listen %s; listen %s ssl; server_name lv.bank.example;
		ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.2 TLSv1.3;
		set $dir %s;
		rewrite_by_lua_file rewrite.lua;
		log_by_lua_file log.lua;
		location / { proxy_pass http://%s; }
	}
}`, nginxTemp, plain, secure, dir, upstream))
	return plain, secure
}

// kongLog is what Kong's logging plugins do in the log phase: they make the log object, and give its
// members the values that the functions of custom_fields_by_lua return. Functions see no more than
// Kong's sandbox shows them.
const kongLog = `
local cjson = require("cjson")
local entry = {
  request = {
    id = ngx.var.request_id, method = ngx.req.get_method(), uri = ngx.var.request_uri, size = tonumber(ngx.var.request_length),
    url = ngx.var.scheme .. "://" .. ngx.var.host .. ngx.var.request_uri,
    querystring = ngx.req.get_uri_args(), headers = ngx.req.get_headers(),
    tls = ngx.var.ssl_protocol and { version = ngx.var.ssl_protocol, cipher = ngx.var.ssl_cipher, client_verify = ngx.var.ssl_client_verify } or nil,
  },
  response = { status = ngx.status, size = tonumber(ngx.var.bytes_sent), headers = ngx.resp.get_headers() },
  latencies = { request = tonumber(ngx.var.request_time) * 1000, kong = 0, proxy = 0 },
  started_at = ngx.req.start_time() * 1000, client_ip = ngx.var.remote_addr, upstream_status = ngx.var.upstream_status,
  route = { name = "liveness" }, service = { name = "vendor" }, consumer = { username = "mobile-onb" },
  authenticated_entity = { id = "credential-7" }, workspace_name = "retail", source = "upstream",
}
local kong = { request = { get_headers = ngx.req.get_headers }, response = { get_headers = ngx.resp.get_headers } }
for path, code in pairs(dofile(ngx.var.dir .. "/functions.lua")) do
  local run = assert(load(code, path, "t", { kong = kong, ipairs = ipairs, pairs = pairs, type = type, string = string }))
  local at, last = entry, nil
  for name in path:gmatch("[^.]+") do
    at, last = last and at[last] or at, name
  end
  at[last] = run()
end
local file = assert(io.open(ngx.var.dir .. "/access.json", "a"))
file:write(cjson.encode(entry), "\n")
file:close()
`

// TestKongSnippet runs the functions of the snippet.
func TestKongSnippet(t *testing.T) {
	var snippet struct {
		Plugins []struct {
			Name   string
			Config struct {
				Path      string
				Functions map[string]string `yaml:"custom_fields_by_lua"`
			}
		}
	}
	decodeSnippet(t, "kong.yaml", &snippet)
	dir, functions := t.TempDir(), "return {\n"
	for path, code := range snippet.Plugins[0].Config.Functions {
		functions += fmt.Sprintf("[%q] = [==[\n%s]==],\n", path, code)
	}
	writeFile(t, filepath.Join(dir, "functions.lua"), functions+"}\n")
	plain, secure := startLua(t, dir, "", kongLog)

	calls := newSender(t)
	calls.check("https://" + secure)
	calls.send("POST", "http://"+plain+"/v1/liveness/check?key=not-quite", "")
	calls.send("GET", "http://"+plain+"/v1/liveness/check", "", "Apikey", "short-key", "X-Api-Key", "y")

	log := gatewayLog{"kong_json", waitForLines(t, filepath.Join(dir, "access.json"), 3)}
	log.check(t)
	log.whole(t, log.find(t, "req-1"), checkEvent("kong", "kong_json").with(checkReferences(), checkAnswer(), fields{
		"@timestamp": "*", "event.duration": "*", "http.request.bytes": "*", "http.response.bytes": "*", "http.version": "",
		"http.request.id": "*", "http.request.body.bytes": "1000", "api_key.id": "sk_l..ghij", "gateway.auth": "accepted",
		"gateway.consumer": "mobile-onb", "gateway.route": "liveness", "gateway.service": "vendor", "gateway.upstream_status": "200",
		"tls.version": "1.3", "tls.version_protocol": "tls", "tls.established": "true", "tls.cipher": "*",
	}))
	log.part(t, log.find(t, "not-quite"), fields{
		"http.response.status_code": "401", "gateway.auth_reason": "missing_key", "liveness.decision_raw": "", "url.query": "key=not-quite",
	})
	log.part(t, log.find(t, `"short"`), fields{"api_key.id": "short", "liveness.decision_raw": "spoof"})
}

// apisixVariables is how APISIX shows its variables: what was set by a plugin, else its own, else
// nginx's.
const apisixVariables = `
ngx.ctx.vars = ngx.ctx.vars or { route_name = "liveness", service_name = "vendor", consumer_name = "mobile-onb" }
local ctx = { var = setmetatable({}, {
  __index = function(_, name) return ngx.ctx.vars[name] or ngx.var[name] end,
  __newindex = function(_, name, value) ngx.ctx.vars[name] = value end,
}) }
`

// apisixLog is what APISIX's loggers do with a log_format.
const apisixLog = apisixVariables + `
local entry = { route_id = "liveness" }
for key, value in pairs(dofile(ngx.var.dir .. "/format.lua")) do
  if value:sub(1, 1) == "$" then
    value = ctx.var[value:sub(2)]
  end
  entry[key] = value
end
local file = assert(io.open(ngx.var.dir .. "/access.json", "a"))
file:write(require("cjson").encode(entry), "\n")
file:close()
`

// TestAPISIXSnippet runs the function of the snippet and fills its log_format.
func TestAPISIXSnippet(t *testing.T) {
	var snippet struct {
		Routes []struct {
			Plugins struct {
				Function struct {
					Phase     string
					Functions []string
				} `yaml:"serverless-pre-function"`
				Logger map[string]any `yaml:"file-logger"`
			}
		}
		Metadata []struct {
			ID     string
			Format map[string]string `yaml:"log_format"`
		} `yaml:"plugin_metadata"`
	}
	decodeSnippet(t, "apisix.yaml", &snippet)
	plugins := snippet.Routes[0].Plugins
	if plugins.Function.Phase != "rewrite" || len(plugins.Function.Functions) != 1 || len(plugins.Logger) != 1 || snippet.Metadata[0].ID != "file-logger" {
		t.Fatalf("the snippet has another shape: %+v", snippet)
	}
	dir, format := t.TempDir(), "return {\n"
	for key, value := range snippet.Metadata[0].Format {
		format += fmt.Sprintf("[%q] = %q,\n", key, value)
	}
	writeFile(t, filepath.Join(dir, "format.lua"), format+"}\n")
	writeFile(t, filepath.Join(dir, "function.lua"), plugins.Function.Functions[0])
	plain, secure := startLua(t, dir, apisixVariables+`dofile(ngx.var.dir .. "/function.lua")({}, ctx)`, apisixLog)

	calls := newSender(t)
	calls.check("https://" + secure)
	calls.send("POST", "http://"+plain+"/v1/liveness/check", "")
	calls.send("GET", "http://"+plain+"/v1/liveness/check", "", "Apikey", "short-key", "X-Api-Key", "y")

	log := gatewayLog{"apisix_json", waitForLines(t, filepath.Join(dir, "access.json"), 3)}
	log.secretFree(t)
	log.whole(t, log.find(t, "req-1"), checkEvent("apisix", "apisix_json").with(checkReferences(), checkAnswer(), fields{
		"@timestamp": "*", "event.duration": "*", "http.request.bytes": "*", "http.response.bytes": "*", "source.port": "*", "url.scheme": "https",
		"http.request.body.bytes": "1000", "api_key.id": "sk_l..ghij",
		"gateway.consumer": "mobile-onb", "gateway.route": "liveness", "gateway.service": "vendor", "gateway.upstream_status": "200",
		"tls.version": "1.3", "tls.version_protocol": "tls", "tls.established": "true", "tls.cipher": "*", "tls.client.server_name": liveHost,
	}))
	log.part(t, log.find(t, `"401"`), fields{
		"http.response.status_code": "401", "gateway.auth_reason": "missing_key", "liveness.decision_raw": "", "api_key.id": "",
	})
	log.part(t, log.find(t, `"short"`), fields{"api_key.id": "short", "liveness.decision_raw": "spoof"})
}

func decodeSnippet(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readSnippet(t, name)), into); err != nil {
		t.Fatal(err)
	}
}
