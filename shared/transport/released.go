package transport

import "github.com/davit-run/davit/shared/executor"

// ReleasedRequest is the body of MethodReleased.
type ReleasedRequest struct {
	Ref    executor.Ref    `json:"ref"`
	Output executor.Output `json:"output"`
}

// MethodReleased calls [executor.Host.Released].
var MethodReleased = define(Method[ReleasedRequest, None]{
	Name:       "released",
	Doc:        "reports that a process has no resources left",
	Limit:      Report,
	MaxRequest: defaultValues,
	Ref:        func(r ReleasedRequest) executor.Ref { return r.Ref },
	Check:      func(r ReleasedRequest) error { return r.Output.Validate() },
})
