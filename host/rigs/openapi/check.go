package openapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Exchange is a request and its answer. Its path is as it was sent, with escapes.
type Exchange struct {
	Method, Path, Query string
	// Request and Response are JSON, or empty. A stream of lines has an Exchange for each.
	Request, Response string
	Status            int
	// Media is the type of the response.
	Media string
}

// Check returns what is wrong with a document, and what of the exchanges it does not
// describe.
func Check(document []byte, exchanges []Exchange) (faults []string, err error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	for _, ref := range doc.Components.Schemas { // what comes unnoticed is no answer
		if ref.Value.AdditionalProperties.Has == nil && ref.Value.AdditionalProperties.Schema == nil {
			no := false
			ref.Value.AdditionalProperties.Has = &no
		}
	}
	for _, e := range exchanges {
		if err := check(doc, e); err != nil {
			faults = append(faults, fmt.Sprintf("%s %s %d: %v", e.Method, e.Path, e.Status, err))
		}
	}
	return faults, nil
}

// check compares one exchange.
func check(doc *openapi3.T, e Exchange) error {
	op, params := find(doc, e.Method, e.Path)
	if op == nil {
		if e.Status == 501 || e.Status == 404 || e.Status == 405 || e.Status == 400 {
			return nil // there is no such route, and so it says
		}
		return fmt.Errorf("no such operation is described")
	}
	for _, p := range op.Parameters {
		if text, ok := params[p.Value.Name]; p.Value.In == "path" && (!ok || text == "") {
			return fmt.Errorf("parameter %s is not in the path", p.Value.Name)
		}
	}
	response := op.Responses.Status(e.Status)
	if response == nil {
		if e.Status < 400 {
			return fmt.Errorf("the status is not described")
		}
		response = op.Responses.Default()
	}
	if err := body(response.Value.Content, e.Media, e.Response); err != nil {
		return fmt.Errorf("the answer %.300s: %w", e.Response, err)
	}
	if e.Status < 400 && e.Request != "" && op.RequestBody != nil && op.RequestBody.Value.Content.Get("application/json") != nil {
		if err := body(op.RequestBody.Value.Content, "application/json", e.Request); err != nil {
			return fmt.Errorf("the request %.300s: %w", e.Request, err)
		}
	}
	return nil
}

// find returns the operation of a path, and the parameters in it.
func find(doc *openapi3.T, method, path string) (*openapi3.Operation, map[string]string) {
	segments := strings.Split(path, "/")
	var found *openapi3.Operation
	var params map[string]string
	for _, pattern := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Value(pattern)
		names := strings.Split(pattern, "/")
		if len(names) != len(segments) || item.GetOperation(method) == nil {
			continue
		}
		values, same := map[string]string{}, true
		for i, name := range names {
			if inner, ok := strings.CutPrefix(name, "{"); ok {
				values[strings.TrimSuffix(inner, "}")] = segments[i]
			} else if name != segments[i] {
				same = false
			}
		}
		if same && (found == nil || len(values) < len(params)) { // the most special one
			found, params = item.GetOperation(method), values
		}
	}
	return found, params
}

// body compares a body with what is described of its media type.
func body(described openapi3.Content, media, text string) error {
	if len(described) == 0 {
		if text != "" {
			return fmt.Errorf("no body is described")
		}
		return nil
	}
	kind := described[media]
	if kind == nil {
		return fmt.Errorf("the type %s is not described", strconv.Quote(media))
	}
	if !strings.HasSuffix(media, "json") {
		return nil
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return err
	}
	return kind.Schema.Value.VisitJSON(value)
}
