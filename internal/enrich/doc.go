// Package enrich adds to an event what can be derived from its raw values and from configuration:
// the caller behind the proxies, the verdict on its credentials, what the call did, the owner and the
// allow list of its key, where the caller is, whose networks and which threat lists have it, the class
// of its user agent, and where the log belongs. It runs before privacy, because it needs the raw
// address and key.
//
// It never blocks, never reads a clock, and asks nobody over a network: databases are mapped into
// memory and lists compiled to a table before events flow. It removes nothing: a raw value it used is
// for privacy to drop. It trusts no header a caller can write unless configuration names the proxy that
// wrote it.
package enrich
