// Package privacy removes from an event what must never be stored, before anything is stored: it
// drops, masks and pseudonymises in place. It is the last stage that sees raw values; matching,
// windows, alerts and stores see only what it left.
//
// It never writes, logs or returns a value it removed, never reads a clock and never does input or
// output. It does not decide what a field means: formats and enrichment have done that.
//
// # The guarantee
//
// After Worker.Apply, no string of the event (fields, lists, label keys and label values) holds
//
//  1. the value of a Transient field: those are cleared;
//  2. the raw value of a Pseudonym field: it is a keyed HMAC, whatever it looked like before, also
//     where it already looked like a pseudonym of ours;
//  3. a copy, at least 5 bytes long, of a raw value of (2), of a credential or personal parameter of
//     the query string or referrer, in any field that comes from the log: neither as it is, nor in
//     another letter case, nor percent-encoded (what is escaped more than three times is masked whole). Copies of other query parameters
//     are removed from free text, paths and labels;
//  4. anything its detectors recognise, in any field that comes from the log: e-mail addresses,
//     telephone numbers (+ and 8 to 15 digits; in text also 00… and 08…), payment card numbers, IBANs,
//     national numbers (NIK, CPF, Aadhaar, SSN), JSON web tokens, PEM blocks, keys with a known prefix,
//     credentials after Bearer, Basic or a name such as password=, images and base64 of 64 bytes or
//     more, and unexplained random text of 40 bytes or more (24 in text where cases and digits mix).
//
// What cannot be known is not promised. A person's name in an error message, a short password without
// its parameter name, an id of fewer than 5 bytes, a value cut in half by the gateway, a value in an
// encoding other than percent, and a short lower-case id in a path that no field names, all look like
// ordinary words and pass. So formats must map what identifies people to the fields made for it, and
// should drop what they do not need.
//
// Three limits keep the caller from blinding rules through (3): fields with a closed set of values and
// those that configuration chooses (source, environment, tags, owner, …), organization.id and
// data.region are not searched for copies; a raw value that is nothing but a well-known word ("check",
// "mobile") is no secret and is not searched for; and where an event has more raw values than can be
// searched for, its text is replaced rather than passed.
//
// An identifier that looks like a secret becomes a keyed pseudonym of its whole value where events are
// joined by it (request, session, transaction, trace, consent, consumer, tenant), so that two of them
// stay two; elsewhere it becomes the kind of what was found, such as [jwt].
package privacy
