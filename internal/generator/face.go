package generator

import "encoding/base64"

// jpegHeader is the start of a real JPEG file: SOI, a JFIF segment, and a quantisation table's marker.
const jpegHeader = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xdb\x00\x43\x00"

// appendFace appends the base64 of size bytes that begin and end like a JPEG. What is between is
// noise, as entropy-coded data is; there is no face in it.
func appendFace(dst []byte, r *rng, size int) []byte {
	img := make([]byte, 0, size+8)
	img = append(img, jpegHeader...)
	for len(img) < size-2 {
		for x := r.next(); x != 0 && len(img) < size-2; x >>= 8 {
			if b := byte(x); b != 0xff {
				img = append(img, b)
			}
		}
	}
	img = append(img, 0xff, 0xd9)
	return base64.StdEncoding.AppendEncode(dst, img)
}
