package strict

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
)

// Decode decodes a file into out, a pointer to a struct whose fields have yaml tags. What out held
// before stays where the file has no key for it: defaults are set before. All problems are in
// File.Err; out is then not to be used.
//
// Types with UnmarshalText take any scalar. With a nil src there is no file: problems name no place.
func Decode(name string, src []byte, out any) *File {
	f := Read(name, src)
	f.absent = src == nil
	f.places = make(map[string]*value)
	if f.root != nil {
		f.decode("", f.root, reflect.ValueOf(out).Elem())
	}
	return f
}

func (f *File) decode(path string, v *value, out reflect.Value) {
	f.places[path] = v
	if v.kind == null || v.kind == refused {
		return // "key:" with nothing behind it leaves the default
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](out.Addr()); ok {
		f.text(path, v, u)
		return
	}
	switch out.Kind() {
	case reflect.Pointer:
		if out.IsNil() {
			out.Set(reflect.New(out.Type().Elem()))
		}
		f.decode(path, v, out.Elem())
	case reflect.Struct:
		f.structure(path, v, out)
	case reflect.Map:
		f.table(path, v, out)
	case reflect.Slice:
		f.slice(path, v, out)
	default:
		f.scalar(path, v, out)
	}
}

func (f *File) text(path string, v *value, u encoding.TextUnmarshaler) {
	s, ok := v.scalar()
	if !ok {
		f.wrong(path, v, "a single value")
		return
	}
	if err := u.UnmarshalText([]byte(s)); err != nil {
		f.report(v, path+": "+err.Error(), "")
	}
}

func (f *File) structure(path string, v *value, out reflect.Value) {
	if v.kind != mapping {
		f.wrong(path, v, "a mapping")
		return
	}
	fields := make(map[string]int)
	var names []string
	for i := range out.NumField() {
		if name := out.Type().Field(i).Tag.Get("yaml"); name != "" {
			fields[name] = i
			names = append(names, name)
		}
	}
	for _, e := range (Node{v, f}).Entries(names...) {
		f.decode(join(path, e.Key), e.Value.value, out.Field(fields[e.Key]))
	}
}

func (f *File) table(path string, v *value, out reflect.Value) {
	if v.kind != mapping {
		f.wrong(path, v, "a mapping")
		return
	}
	table := reflect.MakeMap(out.Type())
	for _, p := range v.pairs {
		item := reflect.New(out.Type().Elem()).Elem()
		f.decode(join(path, p.key.text), p.value, item)
		table.SetMapIndex(reflect.ValueOf(p.key.text), item)
	}
	out.Set(table)
}

func (f *File) slice(path string, v *value, out reflect.Value) {
	if v.kind != list {
		f.wrong(path, v, "a list")
		return
	}
	slice := reflect.MakeSlice(out.Type(), len(v.items), len(v.items))
	for i, item := range v.items {
		f.decode(fmt.Sprintf("%s[%d]", path, i), item, slice.Index(i))
	}
	out.Set(slice)
}

func (f *File) scalar(path string, v *value, out reflect.Value) {
	switch out.Kind() {
	case reflect.String:
		s, ok := v.scalar()
		if !ok {
			f.wrong(path, v, "a string")
			return
		}
		out.SetString(s)
	case reflect.Bool:
		if v.kind != truth {
			f.wrong(path, v, "true or false")
			return
		}
		out.SetBool(v.truth())
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(v.text, 10, 64)
		if v.kind != whole || err != nil || out.OverflowInt(i) {
			f.wrong(path, v, "a whole number")
			return
		}
		out.SetInt(i)
	case reflect.Float64:
		num, ok := v.float()
		if !ok {
			f.wrong(path, v, "a number")
			return
		}
		out.SetFloat(num)
	default:
		panic(fmt.Sprintf("strict: field %s has type %s, which no configuration has", path, out.Type()))
	}
}

// wrong reports a value of the wrong kind. The path is empty for the whole file.
func (f *File) wrong(path string, v *value, want string) {
	if path == "" {
		path = "the file"
	}
	f.report(v, fmt.Sprintf("%s must be %s, not %s", path, want, v.kind), "")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
