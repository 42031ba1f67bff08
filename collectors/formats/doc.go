// Package formats turns a line of a gateway's log into an event. Most formats are maps: YAML files
// that say which value of a JSON object fills which ECS field. They are compiled to small programs
// over one JSON scanner, which reads a line once and allocates nothing. Text formats have a parser of
// their own. A user's map files stand beside the built-in ones and are the same language;
// maps/nginx_json.yaml explains it.
//
// A format states what the log says, under ECS names, and no more: it derives neither client.ip nor
// outcome nor action, makes no pseudonyms, reads no clock, and copies no value that no map asks for.
// What the liveness vendor's words mean is for package vendors.
package formats
