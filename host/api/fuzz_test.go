package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// yes is a host that does whatever it is asked for, and does nothing.
func yes() *fake {
	f := new(fake)
	for _, own := range reflect.ValueOf(f).Elem().Fields() {
		field := reflect.NewAt(own.Type(), own.Addr().UnsafePointer()).Elem() // unexported
		if field.Kind() != reflect.Func {
			continue
		}
		field.Set(reflect.MakeFunc(field.Type(), func([]reflect.Value) (out []reflect.Value) {
			for t := range field.Type().Outs() {
				result := reflect.Zero(t)
				switch t.Kind() {
				case reflect.Func: // no events
					result = reflect.MakeFunc(t, func([]reflect.Value) []reflect.Value { return nil })
				case reflect.Pointer:
					result = reflect.New(t.Elem())
				}
				out = append(out, result)
			}
			return out
		}))
	}
	return f
}

// FuzzRequest sends a request to each route. None makes the host panic, and every error
// says what it is.
func FuzzRequest(f *testing.F) {
	for _, tt := range [][3]string{
		{"web", "", `{"rootfs":"/r","process":{"args":["a"]}}`}, {"a/b", "follow=1&tail=5", `{"timeout":"10s"}`},
		{"..", "since=2026-01-01T00:00:00Z", `{"signal":"TERM"}`}, {"x", "after=1&tail=2", `{"signal":"TERM","signal":"KILL"}`}, {"\x00", "%zz", `[[[[`}, {"", "=&=", ""},
	} {
		f.Add(tt[0], tt[1], []byte(tt[2]))
	}
	handler := newHandler(yes(), Options{})
	f.Fuzz(func(t *testing.T, ref, query string, body []byte) {
		for _, route := range Routes() {
			path := strings.NewReplacer("{ref}", url.PathEscape(ref), "{name}", url.PathEscape(ref), "{backend}", url.PathEscape(ref), "{exec}", url.PathEscape(ref)).Replace(route.Path)
			r := httptest.NewRequest(route.Method, "http://davit/", bytes.NewReader(body))
			r.URL = &url.URL{Scheme: "http", Host: "davit", RawPath: path, RawQuery: query}
			if r.URL.Path, _ = url.PathUnescape(path); r.URL.Path == "" {
				continue
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code == http.StatusInternalServerError {
				t.Errorf("%s %s?%s %q: %s", route.Method, path, query, body, w.Body)
			}
			if w.Code == http.StatusServiceUnavailable && (route.Name == "Live" || route.Name == "Ready") {
				continue // it says no, and that is no error
			}
			var said failure
			if w.Code >= 400 && (json.Unmarshal(w.Body.Bytes(), &said) != nil || said.Code == "" || said.Message == "") {
				t.Errorf("%s %s?%s %q: got %d %s", route.Method, path, query, body, w.Code, w.Body)
			}
		}
	})
}

// FuzzFrames reads whatever a host streams. Nothing is passed on twice, or of a frame
// that is cut off.
func FuzzFrames(f *testing.F) {
	var good bytes.Buffer
	e := newEncoder(&good)
	for _, part := range []struct {
		s    Stream
		data string
	}{{control, `{"cursor":{"attempt":1}}` + "\n"}, {Stdout, "hello"}, {control, `{"end":{`}, {control, `"attempt":1}}` + "\n"}} {
		if err := e.write(part.s, []byte(part.data)); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:good.Len()-3])
	f.Add([]byte{9, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, text []byte) {
		passed := 0
		_ = readFrames(bytes.NewReader(text), func(_ Stream, data []byte) error {
			passed += len(data)
			return nil
		}, func(message) error { return nil })
		if passed > len(text) {
			t.Errorf("%d bytes of %d were passed on", passed, len(text))
		}
	})
}

// FuzzFailure reads an error of a host, which may be of another release, or no host.
func FuzzFailure(f *testing.F) {
	f.Add(404, []byte(`{"code":"not_found","message":"no container"}`))
	f.Add(500, []byte("<html>"))
	f.Add(0, []byte(nil))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		resp := &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(bytes.NewReader(body))}
		if err := readFailure(resp); err == nil || err.Error() == "" {
			t.Errorf("%d %q: got %v", status, body, err)
		}
	})
}
