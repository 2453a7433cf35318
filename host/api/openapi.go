package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
)

// OpenAPIVersion is the version of OpenAPI in which [OpenAPI] describes the routes.
const OpenAPIVersion = "3.0.3"

// jsonDocument is the type of replies that are documents in JSON.
type jsonDocument = json.RawMessage

var openAPIRoute = define(route[any, none, jsonDocument]{
	Name:   "OpenAPI",
	Method: http.MethodGet,
	Path:   "/v1/openapi.json",
	Doc:    "describes the API as an OpenAPI document",
	Serve:  func(context.Context, any, *none) (jsonDocument, error) { return OpenAPI(), nil },
})

// OpenAPI returns the OpenAPI document of the host's API, which may be of another release.
func (c *Client) OpenAPI(ctx context.Context) (json.RawMessage, error) {
	return openAPIRoute.call(ctx, c, none{})
}

// OpenAPI describes all routes as an OpenAPI document, in JSON. It follows from the table of
// routes and the types in it.
func OpenAPI() json.RawMessage { return openAPI() }

// openAPI is made at the first use, when the table is complete.
var openAPI = sync.OnceValue(func() json.RawMessage {
	s := newSchemas()
	failed := s.of(reflect.TypeFor[failure](), reply)
	s.line(reflect.TypeFor[message]())
	paths := map[string]map[string]any{}
	for _, e := range table {
		info := e.info()
		if paths[info.Path] == nil {
			paths[info.Path] = map[string]any{}
		}
		paths[info.Path][strings.ToLower(info.Method)] = e.operation(s)
	}
	text, err := json.Marshal(map[string]any{
		"openapi": OpenAPIVersion,
		"info": map[string]any{
			"title": "davit", "version": "1", "description": openAPIText,
			"license": map[string]any{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
		},
		"servers": []any{map[string]any{"url": "http://davit", "description": "the Unix socket of the host; the name is of no meaning"}},
		"paths":   paths,
		"components": map[string]any{
			"schemas": s.components,
			"responses": map[string]any{"Error": map[string]any{
				"description": "The request has failed. The code says why; the status is for programs that do not know codes.",
				"content":     content("application/json", failed),
			}},
		},
	})
	if err != nil {
		panic(err) // there are maps and strings in it
	}
	return text
})

const openAPIText = "The API of a davit host, served on its Unix socket. The routes and members of /v1 " +
	"stay as they are; later releases add to them, so that clients ignore members of replies that they do not know. " +
	"The host refuses parameters and members of requests that it does not know. " +
	"A ref is an id, the beginning of one, or a name. Streams of frames and connections that are upgraded are described " +
	"in the documentation of the Go package host/api."

// operation describes a route.
func (r *route[H, Request, Reply]) operation(s *schemas) map[string]any {
	op := map[string]any{"operationId": r.Name, "summary": r.Doc, "responses": r.responses(s)}
	request := reflect.TypeFor[Request]()
	var params []any
	for _, f := range members(request) {
		name, in := f.Tag.Get("path"), "path"
		if name == "" {
			name, in = f.Tag.Get("query"), "query"
		}
		if name == "" {
			continue
		}
		p := map[string]any{"name": name, "in": in, "schema": s.of(f.Type, parameter)}
		if doc := s.doc(f.owner, f.Name); doc != "" {
			p["description"] = doc
		}
		if in == "path" {
			p["required"] = true
		}
		params = append(params, p)
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	switch {
	case r.streamed():
		for f := range request.Fields() {
			if kind := f.Tag.Get("stream"); kind != "" {
				op["requestBody"] = map[string]any{"required": true, "content": content(kind, bytesSchema())}
			}
		}
	case hasBody(request):
		op["requestBody"] = map[string]any{"required": r.NeedsBody, "content": content("application/json", s.of(request, input))}
	}
	return op
}

// responses describes what a route answers.
func (r *route[H, Request, Reply]) responses(s *schemas) map[string]any {
	all := map[string]any{"default": map[string]any{"$ref": "#/components/responses/Error"}}
	typ := reflect.TypeFor[Reply]()
	if kind, ok := streamKinds[typ]; ok {
		answer := map[string]any{"description": kind.doc}
		switch {
		case kind.line != nil:
			answer["content"] = content(kind.media, s.line(kind.line))
		case kind.media != "":
			answer["content"] = content(kind.media, bytesSchema())
		}
		all[kind.status] = answer
		return all
	}
	if typ == reflect.TypeFor[none]() {
		all["204"] = map[string]any{"description": "It is done."}
		return all
	}
	schema := s.of(typ, reply)
	if typ.Kind() == reflect.Pointer { // WaitAttempt has none where there is none
		schema = nullable(schema)
	}
	if typ.Kind() == reflect.Slice { // see answer
		schema = maps.Clone(schema)
		delete(schema, "nullable")
	}
	all["200"] = map[string]any{"description": "It is done.", "content": content("application/json", schema)}
	if typ.Implements(reflect.TypeFor[statusReply]()) {
		either := map[string]any{"oneOf": []any{schema, s.of(reflect.TypeFor[failure](), reply)}}
		all["503"] = map[string]any{"description": "It is not so, or the request has failed.", "content": content("application/json", either)}
	}
	return all
}

// streamKind describes the answer of a route that is not one value of JSON. line is the type
// of its lines, if it has any.
type streamKind struct {
	status, media string
	line          reflect.Type
	doc           string
}

var streamKinds = map[reflect.Type]streamKind{
	reflect.TypeFor[outputStream]():  {"200", "application/vnd.davit.stream", nil, "A stream of frames: output, and messages with the schema Message. The package documentation of host/api describes it."},
	reflect.TypeFor[textStream]():    {"200", "text/plain", nil, "The bytes of the output, as they are."},
	reflect.TypeFor[lineStream]():    {"200", "application/x-ndjson", reflect.TypeFor[LogLine](), "A stream of lines of output, one JSON object a line; a last line with an error says why there are no more."},
	reflect.TypeFor[eventStream]():   {"200", "application/x-ndjson", reflect.TypeFor[eventLine](), "A stream of events, one a line; a last line with an error says why there are no more."},
	reflect.TypeFor[imageStream]():   {"200", "application/x-ndjson", reflect.TypeFor[imageLine](), "A stream of progress, one JSON object a line; the last one has the result or an error."},
	reflect.TypeFor[tarStream]():     {"200", "application/x-tar", nil, "A tar archive. The trailer " + endTrailer + " has the error that has cut it short, or {}."},
	reflect.TypeFor[metricsText]():   {"200", metricsType, nil, "Metrics, in the text format of Prometheus."},
	reflect.TypeFor[profileStream](): {"200", "application/octet-stream", nil, "A profile, as package pprof writes it."},
	reflect.TypeFor[duplexStream]():  {"101", "", nil, "The connection is upgraded to " + streamProtocol + ", which the headers Connection and Upgrade of the request have to ask for. Then both sides send frames; those of stream 0 have messages with the schema Message. The package documentation of host/api describes them."},
}

func content(media string, schema map[string]any) map[string]any {
	return map[string]any{media: map[string]any{"schema": schema}}
}

func bytesSchema() map[string]any { return map[string]any{"type": "string", "format": "binary"} }

// nullable returns a schema that null meets as well.
func nullable(schema map[string]any) map[string]any {
	if _, ok := schema["$ref"]; ok {
		return map[string]any{"allOf": []any{schema}, "nullable": true}
	}
	schema = maps.Clone(schema)
	schema["nullable"] = true
	return schema
}
