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
//     another case of ASCII letters, nor in escapes of URLs, JSON, nginx or HTML (what is escaped more than three
//     times is masked whole). Copies of other query parameters are removed from free text, paths and
//     labels;
//  4. anything its detectors recognise, in any field that comes from the log: e-mail addresses,
//     telephone numbers (+ and 8 to 15 digits; 00…, 08… and 628…), payment card numbers, IBANs,
//     national numbers (NIK, CPF, Aadhaar, SSN), JSON web tokens, PEM blocks, keys with a known prefix,
//     credentials after Bearer, Basic, Token and API key, after a name such as password=, <password>,
//     --password or {"name":"password"}, as the value of a label of such a name, or before the @ of a URL or
//     of a database's address, images and base64 of 64 bytes or more, and unexplained random text of 40
//     bytes or more (24 in text where cases and digits mix);
//  5. a number from the log with more digits than its field has a use for; of a date that is far from the
//     call's, more than the day.
//
// What is masked is one question, what is reported another: one in thirty random ids of 16 digits
// passes as a payment card's number. Such a number is always masked, but it is reported as "number",
// for which nobody is called, unless a word before it names it (card, nik, msisdn), or it stands alone
// in text, or in the groups people write it in. UUIDs and hexadecimal tokens of 24 digits or more hold
// no such numbers. The price: a card's number alone in an id's field is masked and not called by its name.
//
// What cannot be known is not promised. A person's name in an error message, a short password without
// its parameter name, an id of fewer than 5 bytes, a value cut in half by the gateway, a value in base64
// of fewer than 40 bytes, a short lower-case id in a path that no field names, a password in prose ("password
// is …") or after a name as common as key= or auth=, words and small numbers after the word token, and digits
// in circles, all look like ordinary words and pass. So formats must map what identifies people to the fields
// made for it, and should drop what they do not need.
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
